"""Images: recognizing them, putting their channels first, networks on them.

Used by rewards, policies and whatever else looks at pixels. Augmentation gets its own
room, ``augment``, beside ``backbones`` when there is one; nothing augments images yet.
"""
