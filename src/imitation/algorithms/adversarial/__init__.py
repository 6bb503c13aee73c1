"""Adversarial imitation learning: AIRL and GAIL.

- `imitation.algorithms.adversarial.gail`: generative adversarial imitation learning.
- `imitation.algorithms.adversarial.airl`: adversarial inverse reinforcement learning.
- `imitation.algorithms.adversarial.common`: what the two share.
"""
