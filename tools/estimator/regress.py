"""Regressions with bounds: least squares for the counter, expectiles for the ceiling."""
import numpy
import scipy.optimize
import scipy.sparse


def matrix(features, texts, size):
    starts, columns, counts = [0], [], []
    for text in texts:
        column, count = numpy.unique(features(text), return_counts=True)
        columns.append(column)
        counts.append(count)
        starts.append(starts[-1] + len(column))
    return scipy.sparse.csr_matrix(
        (numpy.concatenate(counts).astype(float), numpy.concatenate(columns), starts),
        shape=(len(texts), size))


def least_squares(x, y, weight, lowest, ridge=0.3, sweeps=400):
    """The w >= lowest that minimises sum weight (x w - y)^2 + ridge |w|^2, by coordinates."""
    scaled = x.multiply(weight[:, None]).tocsr()
    gram = (scaled.T @ x).toarray()
    gram[numpy.diag_indices_from(gram)] += ridge
    target = scaled.T @ y
    w = numpy.maximum(numpy.linalg.solve(gram, target), lowest)
    slope = gram @ w - target
    for _ in range(sweeps):
        moved = 0.0
        for j in range(len(w)):
            step = max(w[j] - slope[j] / gram[j, j], lowest[j]) - w[j]
            if step:
                w[j] += step
                slope += step * gram[:, j]
                moved = max(moved, abs(step))
        if moved < 1e-5:
            break
    return w


def expectile(x, y, tau, weight, lowest, highest, ridge, prior):
    """Least squares in which being below y costs tau, being above 1 - tau."""
    transposed = x.T.tocsr()

    def loss(w):
        error, away = x @ w - y, w - prior
        cost = numpy.where(error < 0, tau, 1 - tau) * weight
        return ((cost * error * error).sum() + ridge * (away * away).sum(),
                2 * (transposed @ (cost * error)) + 2 * ridge * away)

    return scipy.optimize.minimize(
        loss, numpy.clip(prior, lowest, highest), jac=True, method="L-BFGS-B",
        bounds=list(zip(lowest, highest)), options={"maxiter": 600, "maxfun": 700}).x
