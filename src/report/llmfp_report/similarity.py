"""What follows from a matrix of correlations: an order of the models, and the list of pairs."""
import numpy as np

# Average linkage takes N^2 memory and N^3 time in numpy's inner loops: 2 s for 1000 models.
MOST_ORDERED = 1000


def usable(matrix):
    """Indices of the models that have a value with themselves or another model."""
    return [int(i) for i in np.flatnonzero(np.isfinite(matrix).any(axis=1))]


def dendrogram_order(matrix):
    """Usable models so that similar ones are neighbours: the leaves of average linkage."""
    models = usable(matrix)
    if len(models) < 3 or len(models) > MOST_ORDERED:
        return models
    distance = 1.0 - np.nan_to_num(matrix[np.ix_(models, models)], nan=-1.0)
    np.fill_diagonal(distance, np.inf)
    leaves = [[model] for model in models]
    for _ in range(len(models) - 1):
        i, j = sorted(np.unravel_index(int(np.argmin(distance)), distance.shape))
        weights = len(leaves[i]), len(leaves[j])
        merged = (weights[0] * distance[i] + weights[1] * distance[j]) / sum(weights)
        distance[i, :], distance[:, i], distance[i, i] = merged, merged, np.inf
        distance[j, :], distance[:, j] = np.inf, np.inf
        leaves[i], leaves[j] = leaves[i] + leaves[j], []
    return max(leaves, key=len)


def pairs(matrix):
    """Finite values of all pairs i < j, highest first; ties in the order of the file."""
    rows, columns = np.triu_indices(len(matrix), 1)
    values = matrix[rows, columns]
    finite = np.isfinite(values)
    rows, columns, values = rows[finite], columns[finite], values[finite]
    order = np.argsort(-values, kind="stable")
    return rows[order], columns[order], values[order]


def nearest(matrix):
    """For each model the most similar other one and the value; (None, NaN) without one."""
    others = np.where(np.isfinite(matrix), matrix, -np.inf)
    np.fill_diagonal(others, -np.inf)
    best = others.argmax(axis=1) if len(matrix) else []
    return [(int(j), float(others[i, j])) if others[i, j] > -np.inf else (None, float("nan"))
            for i, j in enumerate(best)]
