"""Learning rewards from comparisons of trajectory fragments, and policies from them.

Christiano et al. (2017), "Deep reinforcement learning from human preferences",
https://arxiv.org/abs/1706.03741. `PreferenceComparisons` combines the parts: a
`TrajectoryGenerator` (`AgentTrainer`, or a fixed `TrajectoryDataset`), a `Fragmenter`,
a `PreferenceGatherer` and a `RewardTrainer`.
"""

from imitation.algorithms.preference_comparisons.agent import (
    AgentTrainer,
    TrajectoryDataset,
    TrajectoryGenerator,
)
from imitation.algorithms.preference_comparisons.dataset import (
    PreferenceDataset,
    preference_collate_fn,
)
from imitation.algorithms.preference_comparisons.fragmenters import (
    ActiveSelectionFragmenter,
    Fragmenter,
    RandomFragmenter,
)
from imitation.algorithms.preference_comparisons.gatherers import (
    HumanGatherer,
    PreferenceGatherer,
    SyntheticGatherer,
)
from imitation.algorithms.preference_comparisons.held_out import (
    BestAgent,
    HeldOutPlayer,
)
from imitation.algorithms.preference_comparisons.importing import import_preferences
from imitation.algorithms.preference_comparisons.losses import (
    CrossEntropyRewardLoss,
    LossAndMetrics,
    RewardLoss,
)
from imitation.algorithms.preference_comparisons.model import (
    PreferenceModel,
    get_base_model,
)
from imitation.algorithms.preference_comparisons.reward_trainer import (
    BasicRewardTrainer,
    EnsembleTrainer,
    RewardTrainer,
)
from imitation.algorithms.preference_comparisons.schedules import QUERY_SCHEDULES
from imitation.algorithms.preference_comparisons.trainer import PreferenceComparisons

__all__ = [
    "QUERY_SCHEDULES",
    "ActiveSelectionFragmenter",
    "AgentTrainer",
    "BasicRewardTrainer",
    "BestAgent",
    "CrossEntropyRewardLoss",
    "EnsembleTrainer",
    "Fragmenter",
    "HeldOutPlayer",
    "HumanGatherer",
    "LossAndMetrics",
    "PreferenceComparisons",
    "PreferenceDataset",
    "PreferenceGatherer",
    "PreferenceModel",
    "RandomFragmenter",
    "RewardLoss",
    "RewardTrainer",
    "SyntheticGatherer",
    "TrajectoryDataset",
    "TrajectoryGenerator",
    "get_base_model",
    "import_preferences",
    "preference_collate_fn",
]
