"""The Jensen-Shannon distance of categories."""

import numpy as np

from api_pokemon.monitoring.profile_layout import Floats


def jensen_shannon(reference: Floats, window: Floats) -> Floats:
    r"""How different two distributions over the same values are.

    .. math:: \sqrt{\tfrac12 \sum_i r_i \ln \frac{r_i}{m_i} + \tfrac12 \sum_i w_i \ln \frac{w_i}{m_i}},
        \quad m = \tfrac12 (r + w)

    Parameters
    ----------
    reference, window
        Shares that add up to 1: shape (…, values).

    Returns
    -------
    array
        Between 0, the same, and :math:`\sqrt{\ln 2} = 0.833`, nothing in common. With the natural logarithm, as
        Evidently and SciPy have it.

    Examples
    --------
    >>> float(jensen_shannon(np.array([0.9, 0.1, 0.0]), np.array([0.85, 0.1, 0.05])).round(3))
    0.133

    References
    ----------
    Endres, Schindelin (2003): A new metric for probability distributions. IEEE Transactions on Information Theory
    49(7), 1858-1860.
    """
    middle = (reference + window) / 2
    divergence = np.sum(_relative(reference, middle) + _relative(window, middle), axis=-1) / 2
    distance: Floats = np.sqrt(np.maximum(divergence, 0.0))
    return distance


def _relative(shares: Floats, middle: Floats) -> Floats:
    ratio = np.divide(shares, middle, out=np.ones_like(middle), where=shares > 0)
    return shares * np.log(ratio)
