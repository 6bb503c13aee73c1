"""Transition probabilities as one matrix, dense or sparse.

Planning multiplies by p(s'|s, a) twice per time step: backwards with values, forwards
with visits. Both are one product of a matrix of A * S rows with a vector.
"""

import numpy as np

from imitation.envs.tabular.layouts import Array, Matrix, as_rows, is_dense
from imitation.errors import DataError

# Tolerance of the sum of a row, which is not exactly 1 in float32.
TOLERANCE = 1e-5


class Dynamics:
    """The transition probabilities p(s'|s, a) of S states and A actions.

    Args:
        transition_matrix: in any layout of `layouts.as_rows`.

    Raises:
        DataError: it has another layout, a negative or NaN value, or a row whose sum is
            not 1.
    """

    def __init__(self, transition_matrix: Matrix) -> None:
        rows = as_rows(transition_matrix, "transition_matrix")
        self.rows: Matrix = rows
        """Array or CSR matrix, float64 of shape ``(A * S, S)``; row ``a * S + s``."""
        self.n_states: int = rows.shape[1]
        self.n_actions: int = rows.shape[0] // rows.shape[1]
        self._check()
        # Transposing CSR gives CSC, whose product with a vector is the slower one.
        self._columns: Matrix = rows.T if is_dense(rows) else rows.T.tocsr()

    def expected(self, values: Array, out: Array) -> None:
        """Computes the mean of a function of the next state.

        Args:
            values: value of each next state, float64 of shape ``(S,)``.
            out: receives the mean after each action in each state; contiguous float64
                of shape ``(A, S)``.
        """
        _multiply(self.rows, values, out.reshape(-1))

    def next_states(self, visits: Array, out: Array) -> None:
        """Computes the visits of each next state.

        Args:
            visits: visits of each state and action, contiguous float64 ``(A, S)``.
            out: receives those of the next states; contiguous float64 ``(S,)``.
        """
        _multiply(self._columns, visits.reshape(-1), out)

    def expected_reward(self, reward_matrix: Matrix) -> Array:
        """Computes the mean of a reward that depends on the next state.

        Args:
            reward_matrix: r(s, a, s') in any layout of `layouts.as_rows`.

        Returns:
            Shape ``(A, S)``.

        Raises:
            DataError: it has another number of states or actions.
        """
        rewards = as_rows(reward_matrix, "reward_matrix", not is_dense(self.rows))
        if rewards.shape != self.rows.shape:
            raise DataError(
                f"reward_matrix is for {rewards.shape[1]} states and "
                f"{rewards.shape[0] // rewards.shape[1]} actions, transition_matrix "
                f"for {self.n_states} and {self.n_actions}"
            )
        means = np.asarray((self.rows * rewards).sum(axis=1), dtype=np.float64)
        return means.reshape(self.n_actions, self.n_states)

    def successors(self, state: int, action: int) -> tuple[Array, Array]:
        """Returns the possible next states and their probabilities."""
        at = action * self.n_states + state
        if is_dense(self.rows):
            states = np.flatnonzero(self.rows[at])
            return states, self.rows[at, states]
        part = slice(self.rows.indptr[at], self.rows.indptr[at + 1])
        return self.rows.indices[part], self.rows.data[part]

    def _check(self) -> None:
        from scipy import sparse as sp

        values = self.rows if is_dense(self.rows) else self.rows.data
        if values.size and values.min() < 0:
            coo = sp.coo_array(self.rows)
            at = np.flatnonzero(coo.data < 0)[0]
            row, column = coo.coords[0][at], coo.coords[1][at]
            raise DataError(
                f"transition_matrix has the negative probability {coo.data[at]:.6g} of "
                f"state {column} after {self._name(row)}; probabilities lie in [0, 1]"
            )
        sums = self.rows @ np.ones(self.n_states)
        wrong = np.flatnonzero(~(np.abs(sums - 1.0) <= TOLERANCE))  # NaN as well
        if len(wrong):
            raise DataError(
                f"transition_matrix: the probabilities after {self._name(wrong[0])} "
                f"sum to {sums[wrong[0]]:.6g}, expected 1; normalize each row"
            )

    def _name(self, row: int) -> str:
        return f"state {row % self.n_states}, action {row // self.n_states}"


def _multiply(matrix: Matrix, vector: Array, out: Array) -> None:
    if is_dense(matrix):
        np.dot(matrix, vector, out=out)
    else:
        out[...] = matrix @ vector
