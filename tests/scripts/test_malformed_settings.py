"""Mistakes a user makes on the command line: status 2, one line, nothing written."""

import pathlib
from typing import Any

import pytest

from imitation.data import rollout, serialize
from imitation.policies.base import RandomPolicy
from imitation.scripts import command_line, console
from imitation.scripts.eval_policy import eval_policy_ex
from imitation.scripts.train_adversarial import train_adversarial_ex
from imitation.scripts.train_imitation import train_imitation_ex
from imitation.scripts.train_preference_comparisons import (
    train_preference_comparisons_ex,
)
from imitation.scripts.train_rl import train_rl_ex
from imitation.util import util

RANDOM = "expert.policy_type=random"
NETS = "imitation.rewards.reward_nets"

CASES = [
    ("train_rl with cartpol", "unknown named config 'cartpol'; did you mean cartpole"),
    ("train_rl with zzzzzz", "print_named_configs lists them"),
    ("train_rl with totaltimesteps=5", "did you mean total_timesteps"),
    ("train_rl with rl.batchsize=5", "did you mean rl.batch_size"),
    ("train_rl with rl=5", "rl is a group of settings"),
    ("train_rl with total_timesteps=many", "total_timesteps must be a whole number"),
    (f"train_rl with seed=1{'0' * 400}", "seed must be an integer in"),
    ("train_rl with total_timesteps=0", "total_timesteps must be a positive integer"),
    ("train_rl with total_timesteps=1.5", "total_timesteps must be a whole number"),
    ("train_rl with seed=-1", "seed must be an integer in"),
    ("train_rl with seed=x", "seed must be a whole number"),
    ("train_rl with normalize_reward=yes", "must be True or False, got 'yes'"),
    ("train_rl with environment.num_vec=0", "num_vec must be a positive integer"),
    ("train_rl with environment.gym_id=CartPole-v9", "CartPole-v9"),
    ("train_rl with environment.gym_id=Cartpol-v1", "did you mean"),
    ("train_rl with environment.gym_id=nowhere:E-v0", "nowhere"),
    ("train_rl with environment.fast environment.gym_id=nowhere:E-v0", "nowhere"),
    ("train_rl with environment.max_episode_steps=-1", "max_episode_steps"),
    ("train_rl with rl.batch_size=12", "must evenly divide batch_size=12"),
    ("train_rl with rl.rl_kwargs.n_steps=8", "set 'batch_size' at top-level"),
    ("train_rl with rl.rl_kwargs.gama=0.9", "rl.rl_kwargs.gama"),
    (
        "train_rl with rl.rl_cls=nowhere.PPO",
        "rl.rl_cls='nowhere:PPO' cannot be imported",
    ),
    ("train_rl with rl.rl_cls=torch.nn:ReLU", "must name a subclass of BaseAlgorithm"),
    ("train_rl with rl.sac", "add the named configs rl.sac policy.sac"),
    ("train_rl with policy.policy_cls=os:system", "must name a subclass of BasePolicy"),
    ("train_rl with policy.policy_kwargs.net_arch=[8]", "has a fixed architecture"),
    ("train_rl with agent_path=missing.zip", "agent_path='missing.zip' does not exist"),
    ("train_rl with normalize_kwargs.gama=0.9", "normalize_kwargs.gama is not known"),
    ("train_rl with rl.rl_kwargs.seed=1", "rl.rl_kwargs.seed is not known"),
    ("train_rl with resume=a_file", "holds no run to resume"),
    ("train_rl with reward_type=one", "reward_type='one' is not registered"),
    (
        "train_rl with reward_path=a_file",
        "reward_path='a_file' has no effect: it applies only with reward_type",
    ),
    ("train_rl with reward_type=RewardNet_normalized", "set reward_path"),
    (
        "train_rl with reward_type=RewardNet_normalized reward_path=missing",
        "reward_path='missing' does not exist",
    ),
    ("eval_policy with reward_type=one", "reward_type='one' is not registered"),
    (
        "eval_policy with reward_type=RewardNet_unshaped reward_path=missing",
        "reward_path='missing' does not exist",
    ),
    (
        "train_rl with rl.rl_cls=stable_baselines3:DQN",
        "set policy.policy_cls=stable_baselines3.dqn.policies:DQNPolicy",
    ),
    (
        "train_rl with rl.rl_cls=stable_baselines3.common.base_class:BaseAlgorithm",
        "Unsupported RL algorithm",
    ),
    ("train_rl with normalize_kwargs.norm_obs=True", "policy.normalize_running"),
    (
        "train_rl with rollout_save_n_episodes=1 rollout_save_n_timesteps=1",
        "not both",
    ),
    ("train_rl with logging.log_format_strs=['xml']", "unknown format 'xml'"),
    ("train_rl with logging.log_level=LOUD", "logging.log_level must be"),
    ("train_rl with logging.log_dir=a_file/x", "a_file is a file"),
    ("train_rl with resume=nowhere", "holds no run to resume"),
    ("train_rl with resume=nowhere seed=1 fast", "leave out fast, seed"),
    ("train_rl with a_file", "must be a .json file"),
    ("train_rl nonsense", "needs a command"),
    ("train_rl with total_timesteps=4 --nonsense", "cannot read"),
    ("train_imitation with cartpole", "needs a command, one of bc, dagger"),
    ("train_imitation sqill with cartpole", "needs a command"),
    (f"bc with {RANDOM} demonstrations.source=lokal", "demonstrations.source must be"),
    (f"bc with {RANDOM} demonstrations.source=local", "needs demonstrations.path"),
    (
        f"bc with {RANDOM} demonstrations.source=local demonstrations.path=missing",
        "demonstrations.path='missing' does not exist",
    ),
    (f"bc with {RANDOM} demonstrations.n_expert_demos=0", "must be a positive integer"),
    ("bc with expert.policy_type=oracle", "is not registered; known are"),
    ("bc with expert.policy_type=ppo", "set expert.loader_kwargs.path"),
    (
        "bc with expert.policy_type=ppo expert.loader_kwargs.path=missing",
        "'missing' does not exist",
    ),
    (f"bc with {RANDOM} bc.optimizer_cls=torch.optim.Adm", "cannot be imported"),
    (f"bc with {RANDOM} bc.batch_size=0", "bc.batch_size must be a positive integer"),
    (f"bc with {RANDOM} bc.l2_weight=-1", "bc.l2_weight must be a number ≥ 0"),
    (
        f"bc with {RANDOM} bc.train_kwargs.epochs=1",
        "bc.train_kwargs.epochs is not known",
    ),
    (
        f"bc with {RANDOM} bc.train_kwargs.n_epochs=1 bc.train_kwargs.n_batches=1",
        "not both",
    ),
    (f"bc with {RANDOM} bc.train_kwargs.n_epochs=x", "n_epochs must be a positive int"),
    (f"bc with {RANDOM} bc.train_kwargs.n_batches=-3", "must be a positive integer"),
    (f"bc with {RANDOM} bc.train_kwargs.log_interval=0", "must be a positive integer"),
    (f"bc with {RANDOM} bc.train_kwargs.resume=True", "bc.train_kwargs.resume is not"),
    (f"bc with {RANDOM} bc.minibatch_size=5", "must be a divisor of bc.batch_size=32"),
    (f"bc with {RANDOM} bc.minibatch_size=0", "must be a divisor of bc.batch_size=32"),
    (f"bc with {RANDOM} bc.max_grad_norm=-1", "bc.max_grad_norm must be a positive"),
    (
        f"bc with {RANDOM} bc.optimizer_kwargs.lr=fast",
        "cannot build bc.optimizer_cls with bc.optimizer_kwargs",
    ),
    (f"bc with {RANDOM} bc.optimizer_kwargs.lr=-1", "Invalid learning rate: -1"),
    (f"bc with {RANDOM} bc.optimizer_kwargs.rate=1", "argument 'rate'"),
    (
        f"bc with {RANDOM} bc.early_stopping_patience=0 bc.val_fraction=0.5",
        "bc.early_stopping_patience must be a positive integer",
    ),
    (f"bc with {RANDOM} bc.early_stopping_patience=2", "needs bc.val_fraction"),
    (f"bc with {RANDOM} bc.agent_path=missing", "bc.agent_path='missing'"),
    (
        f"dagger with {RANDOM} dagger.beta_schedule.kind=square",
        "dagger.beta_schedule must",
    ),
    (
        f"dagger with {RANDOM} dagger.beta_schedule.kind=exponential "
        "dagger.beta_schedule.decay_probability=2",
        "dagger.beta_schedule must",
    ),
    (f"dagger with {RANDOM} dagger.total_timesteps=0", "dagger.total_timesteps must"),
    ("gail with environment.num_vec=3", "num_envs=3 must evenly divide batch_size="),
    ("airl with reward.net_cls=nowhere:Net", "reward.net_cls='nowhere:Net' cannot be"),
    ("gail with reward.net_cls=torch.nn:ReLU", "must name a subclass of RewardNet"),
    (
        f"gail with reward.net_cls={NETS}:RewardEnsemble",
        "Must specify ensemble_size.",
    ),
    (
        f"gail with reward.net_cls={NETS}:RewardEnsemble reward.ensemble_size=2",
        "Must specify ensemble_member_config.",
    ),
    (
        "gail with reward.reward_ensemble reward.normalize_output_running",
        "Output normalization not supported on RewardEnsembles.",
    ),
    ("gail with reward.reward_ensemble", "which a RewardEnsemble is not"),
    ("gail with reward.add_std_alpha=1.0", "needs a network that knows its variance"),
    ("gail with reward.normalize_output_layer=Running", "a class name such as"),
    (
        "airl with rl.rl_cls=stable_baselines3:DQN "
        "policy.policy_cls=stable_baselines3.dqn.policies:DQNPolicy",
        "AIRL needs a stochastic policy",
    ),
    (
        "airl with rl.rl_cls=stable_baselines3:TD3 "
        "policy.policy_cls=stable_baselines3.td3.policies:TD3Policy",
        "AIRL needs a stochastic policy",
    ),
    ("gail with agent_path=missing", "agent_path='missing' does not exist"),
    ("gail with total_timesteps=0", "total_timesteps must be a positive integer"),
    ("gail with total_timesteps=100", "total_timesteps=100 is less than one round"),
    (
        "gail with total_timesteps=100 rl.sac policy.sac "
        "algorithm_kwargs.gen_train_timesteps=512",
        "one round of 512",
    ),
    ("gail with eval_interval=-1", "eval_interval must be an integer ≥ 0"),
    ("gail with n_eval_episodes=0", "n_eval_episodes must be a positive integer"),
    ("gail with state_interval=-1", "state_interval must be an integer ≥ 0"),
    (
        "gail with algorithm_kwargs.n_disc_updates=8",
        "algorithm_kwargs.n_disc_updates is not known; possible are",
    ),
    (
        "gail with algorithm_kwargs.venv=8",
        "algorithm_kwargs.venv is not known; possible are",
    ),
    (
        "gail with algorithm_kwargs.demo_batch_size=None",
        "algorithm_kwargs.demo_batch_size must be set",
    ),
    (
        "gail with algorithm_kwargs.demo_batch_size=1.5",
        "algorithm_kwargs.demo_batch_size must be a positive integer, got 1.5",
    ),
    (
        "airl with algorithm_specific.airl.n_disc_updates_per_round=0",
        "algorithm_kwargs.n_disc_updates_per_round must be a positive integer",
    ),
    (
        "gail with algorithm_kwargs.demo_minibatch_size=100",
        "must be a divisor of algorithm_kwargs.demo_batch_size=1024, got 100",
    ),
    (
        "gail with algorithm_kwargs.disc_opt_cls=torch.optim:Adm",
        "algorithm_kwargs.disc_opt_cls='torch.optim:Adm' cannot be imported",
    ),
    ("gail with algorithm_specific.sail.x=1", "algorithm_specific.sail is not known"),
    ("gail with algorithm_specific.gail=1", "algorithm_specific.gail must be a dict"),
    ("gail with discriminator.gradient_penalty=r2", "gradient_penalty must be"),
    ("gail with discriminator.label_smoothing=0.6", "label_smoothing must be in"),
    ("gail with discriminator.noise=1", "did you mean discriminator.instance_noise"),
    (f"gail with {RANDOM} demonstrations.source=lokal", "demonstrations.source must"),
    (
        f"gail with {RANDOM} demonstrations.source=local demonstrations.path=missing",
        "demonstrations.path='missing' does not exist",
    ),
    ("airl with expert.policy_type=oracle", "is not registered; known are"),
    ("gail with resume=a_file", "holds no run to resume"),
    ("train_adversarial with cartpole", "needs a command, one of gail, airl"),
    *(
        (f"train_preference_comparisons with {words}", message)
        for words, message in {
            "fragment_length=0": "fragment_length must be a positive integer",
            "num_iterations=0": "num_iterations must be a positive integer",
            "total_comparisons=0": "positive integer (0 is possible with preferences_p",
            "total_timesteps=-1": "total_timesteps must be an integer ≥ 0",
            "comparison_queue_size=0": "comparison_queue_size must be a positive",
            "state_interval=-1": "state_interval must be an integer ≥ 0",
            "initial_comparison_frac=1.1": "initial_comparison_frac must be a number",
            "keep_best_agent=True held_out_episodes=0": (
                "held_out_episodes to a positive number, or keep_best_agent=False"
            ),
            "exploration_frac=-0.1": "exploration_frac must be a number in [0, 1]",
            "transition_oversampling=0": "transition_oversampling must be a positive",
            "initial_epoch_multiplier=0": "initial_epoch_multiplier must be a positi",
            "active_selection_oversampling=0.5": "must be a number ≥ 1, got 0.5",
            "uncertainty_on=reward": "one of 'logit', 'probability', 'label', got",
            "query_schedule=sometimes": "Unknown query schedule: sometimes",
            "gatherer=nobody": "one of 'synthetic', 'human' or None, got 'nobody'",
            "gatherer_cls=torch.nn:ReLU": "must name a subclass of PreferenceGatherer",
            "trajectory_path=a_file exploration_frac=0.1": (
                "exploration_frac can't be set when a trajectory dataset is used"
            ),
            "trajectory_path=missing": "trajectory_path='missing' does not exist",
            "preferences_path=missing": "preferences_path='missing' does not exist",
            "agent_path=missing": "agent_path='missing' does not exist",
            "active_selection=True": (
                "PreferenceModel not wrapped over an ensemble of networks."
            ),
            "preference_model_kwargs.model=1": "preference_model_kwargs.model is not",
            "reward_trainer_kwargs.n_epochs=1": "reward_trainer_kwargs.n_epochs is not",
            "gatherer_kwargs.noise=1": "gatherer_kwargs.noise is not known; possible",
            "gatherer=human gatherer_kwargs.sample=True": "gatherer_kwargs.sample is",
            "gatherer=human gatherer_kwargs.queue_dir=x": "gatherer_kwargs.queue_dir",
            "fragmenter_kwargs.rng=1": "fragmenter_kwargs.rng is not known; possible",
            "trajectory_generator_kwargs.venv=1": "trajectory_generator_kwargs.venv",
            "trajectory_path=a_file trajectory_generator_kwargs.switch_prob=1": (
                "trajectory_generator_kwargs.switch_prob is not known"
            ),
            "pendulum fragment_length=201": "more than the 200 steps of an episode of",
            "environment.fast": "more than the 5 steps of an episode of seals/CartPole",
            "human.mode=later": "human.mode must be one of 'sync', 'async', got",
            "human.fps=0": "human.fps must be a positive number, got 0",
            "human.timeout=0": "human.timeout must be a positive number or None",
            "rl.sac": "add the named configs rl.sac policy.sac",
            "reward.reward_ensemble reward.normalize_output_running": (
                "Output normalization not supported on RewardEnsembles."
            ),
            "resume=a_file": "holds no run to resume",
        }.items()
    ),
    (
        "eval_policy with eval_n_timesteps=None",
        "set eval_n_timesteps or eval_n_episodes",
    ),
    ("eval_policy with eval_n_episodes=-3", "eval_n_episodes must be"),
    (f"eval_policy with {RANDOM} videos=True render=True", "choose one of them"),
    (f"eval_policy with {RANDOM} video_kwargs.fps=1", "video_kwargs.fps is not known"),
    (f"eval_policy with {RANDOM} explore_kwargs.random_prob=1", "switch_prob"),
    (
        f"eval_policy with {RANDOM} videos=True "
        "environment.env_make_kwargs.render_mode=human",
        "needs 'rgb_array'",
    ),
    (
        "sqil with bc.batch_size=64",
        "bc.batch_size=64 has no effect: it applies only to bc and dagger, not to sqil",
    ),
    (
        "bc with demonstrations.organization=me",
        "it applies only with demonstrations.source=huggingface; change that or leave",
    ),
    ("bc with demonstrations.path=a_file", "only with demonstrations.source=local"),
    (
        "train_mce_irl with demonstrations.source=occupancy "
        "demonstrations.n_expert_demos=3",
        "it applies only with demonstrations.source=generated or local",
    ),
    ("bc with logging.wandb.wandb_tag=x", "it applies only with the format wandb"),
    ("gail with n_eval_episodes=5", "it applies only with eval_interval"),
    (
        "gail with discriminator.gradient_penalty_coef=5.0",
        "it applies only with discriminator.gradient_penalty",
    ),
    ("gail with reward.ensemble_size=3", "with reward.net_cls=RewardEnsemble"),
    (
        "train_rl with rl.sac policy.sac rl.ppo_kwargs.gamma=0.9",
        "rl.ppo_kwargs.gamma=0.9 has no effect: it applies only to PPO",
    ),
    (
        "train_preference_comparisons with trajectory_path=a_file keep_best_agent=True",
        "keep_best_agent=True has no effect: it applies only without trajectory_path",
    ),
    (
        "train_preference_comparisons with human.fps=10",
        "human.fps=10 has no effect: it applies only with gatherer=human",
    ),
    ("iq_learn with iq_learn.offline_updates=9 iq_learn.total_timesteps=9", "=0"),
    ("train_density with density.n_neighbors=3", "only with density.estimator=knn"),
    ("eval_policy with render_fps=30", "it applies only with render"),
    ("train_rl with mine.json", "load_reward_kwargs.alpha=1.0 has no effect"),
    ("eval_polizy", "unknown command 'eval_polizy'; did you mean eval_policy"),
    ("xyz", "imitation --help lists them"),
]


@pytest.mark.parametrize(("line", "message"), CASES, ids=[line for line, _ in CASES])
def test_a_mistake_is_one_line_and_writes_nothing(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str], line: Any, message: Any
) -> None:
    pathlib.Path("a_file").write_text("")
    pathlib.Path("mine.json").write_text('{"load_reward_kwargs": {"alpha": 1.0}}')
    assert console.run(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("imitation: ")
    assert message in captured.err
    assert captured.out == ""
    assert {path.name for path in workdir.iterdir()} == {"a_file", "mine.json"}


FAST = "cartpole fast environment.fast policy_evaluation.fast"
PREFERENCES = f"train_preference_comparisons with {FAST}"

LATE_CASES = [
    (f"{PREFERENCES} preference_model_kwargs.noise_prob=x", "PreferenceModel with"),
    (f"{PREFERENCES} reward_trainer_kwargs.epochs=x", "reward_trainer_kwargs"),
    (f"{PREFERENCES} gatherer_kwargs.temperature=cold", "with gatherer_kwargs"),
    (f"{PREFERENCES} trajectory_generator_kwargs.switch_prob=x", "AgentTrainer with"),
    (f"bc with {FAST} {RANDOM} policy.policy_kwargs.depth=2", "policy.policy_kwargs"),
    (f"bc with {FAST} {RANDOM} policy.cnn_policy", "ActorCriticCnnPolicy"),
    (f"bc with {FAST} {RANDOM} expert.loader_kwargs.x=1", "expert.loader_kwargs"),
    (
        f"bc with {FAST} {RANDOM} environment.env_make_kwargs.x=1",
        "CartPole-v1 with environment.env_make_kwargs",
    ),
    (f"train_rl with {FAST} rl.fast rl.rl_kwargs.clip_range=x", "rl.rl_kwargs"),
    (f"train_rl with {FAST} rl.sac policy.sac rl.rl_kwargs.tau=1", "action spaces"),
    (
        f"eval_policy with cartpole fast environment.fast {RANDOM} "
        "explore_kwargs.random_prob=1 explore_kwargs.switch_prob=x",
        "explore_kwargs",
    ),
]


@pytest.mark.parametrize(
    ("line", "message"), LATE_CASES, ids=[line for line, _ in LATE_CASES]
)
def test_a_mistake_seen_while_building_is_the_users(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str], line: Any, message: Any
) -> None:
    assert console.run([*line.split(), "logging.log_format_strs=[]"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("imitation: cannot build ")
    assert message in last


def test_evaluation_leaves_the_directory_of_another_run_alone(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast = f"cartpole fast environment.fast {RANDOM} logging.log_dir=run"
    pathlib.Path("run").mkdir()
    settings = pathlib.Path("run", "settings.json")
    settings.write_text('{"script": "train_rl"}')
    assert console.run(["eval_policy", "with", *fast.split()]) == 2
    assert "'run' holds a run already" in capsys.readouterr().err
    assert settings.read_text() == '{"script": "train_rl"}'
    settings.unlink()
    for _ in range(2):  # it may replace its own
        assert console.run(["eval_policy", "with", *fast.split()]) == 0


def test_settings_of_a_damaged_run(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pathlib.Path("run").mkdir()
    stored = '{"script": "train_rl", "command": "train_rl", "settings": {}}'
    pathlib.Path("run", "settings.json").write_text(stored)
    assert console.run(["train_rl", "with", "resume=run"]) == 2
    assert "is damaged: settings missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "experiment",
    [
        train_rl_ex,
        train_imitation_ex,
        train_adversarial_ex,
        train_preference_comparisons_ex,
        eval_policy_ex,
    ],
)
def test_python_m_handles_mistakes_the_same_way(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str], experiment: Any
) -> None:
    arguments = [*list(experiment.script.commands)[:1], "with", "nonsense=1"]
    assert experiment.run_line(arguments, "program") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(workdir.iterdir()) == []


def test_debug_shows_where_it_happened(workdir: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="unknown setting"):
        console.run(["train_rl", "with", "nonsense=1", "--debug"])


def test_an_error_of_ours_says_how_to_see_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails() -> None:
        raise RuntimeError("first line\nsecond line")

    assert command_line.guarded(fails) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unexpected RuntimeError: first line second line (add --debug" in error


def test_an_interrupt_is_one_line_and_status_130(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert command_line.guarded(interrupted) == 130
    assert capsys.readouterr().err == "imitation: interrupted\n"


def test_too_few_demonstrations(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv = util.make_vec_env("CartPole-v1", rng=None, n_envs=1, max_episode_steps=3)
    policy = RandomPolicy(venv.observation_space, venv.action_space)
    enough = rollout.make_min_episodes(2)
    episodes = rollout.rollout(policy, venv, enough, unwrap=False, verbose=False)
    serialize.save("demos", episodes)
    line = (
        f"bc with cartpole fast environment.fast policy_evaluation.fast {RANDOM} "
        "logging.log_format_strs=[] bc.batch_size=2 "
        "demonstrations.source=local demonstrations.path=demos"
    )
    assert console.run([*line.split(), "demonstrations.n_expert_demos=99"]) == 2
    available = f"but only {len(episodes)} are available via local."
    message = f"Want to use n_expert_demos=99 trajectories, {available}"
    assert message in capsys.readouterr().err
    assert console.run([*line.split(), "demonstrations.n_expert_demos=1"]) == 0
