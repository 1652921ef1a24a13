/* llmfp/curve.h - curves over layers: z-scores, resampling, Pearson's r.
 *                                                                core, no MPI
 * A curve is the standard deviations of one role over the layers that have it,
 * in layer order. Plain doubles; every function is deterministic (fixed order of
 * operations, no contraction), so results do not depend on ranks.              */
#ifndef LLMFP_CURVE_H
#define LLMFP_CURVE_H

#include <stddef.h>

#include "llmfp/error.h"

enum { LLMFP_LEAST_LAYERS = 3 }; /* below this a correlation is undefined */

/* z-score of a curve over its layers (population standard deviation, ddof = 0):
 * signature[i] = (curve[i] - mean) / std. All NaN when a value is not finite or
 * the curve has no variance.
 *   curve, signature  [n_layers], may be the same array                  Local. */
void llmfp_curve_signature(const double *curve, size_t n_layers, double *signature);

/* Linear interpolation onto a grid of n_out >= n_layers points, the same numbers
 * as numpy.interp(linspace(0, n_layers - 1, n_out), arange(n_layers), curve).
 *   curve [n_layers], out [n_out], not overlapping; n_layers >= 1         Local. */
void llmfp_curve_resample(const double *curve, size_t n_layers, double *out, size_t n_out);

/* Pearson's r of two curves, the shorter one resampled onto the longer one's
 * grid. NaN below LLMFP_LEAST_LAYERS layers, at zero variance, or with a value
 * that is not finite; always within [-1, 1]; symmetric to the bit. Equal curves
 * give exactly 1. Good to a few ulps even where the mean is 1e15 times the spread,
 * and at any scale that doubles hold.
 * Errors: LLMFP_FATAL without memory.                                    Local. */
enum llmfp_status llmfp_curve_correlation(const double *a, size_t n_a, const double *b, size_t n_b,
                                          double *correlation,
                                          struct llmfp_error *error) LLMFP_MUST_CHECK;

/* Rows of a correlation matrix over curves of any lengths.
 *   curves      [n_curves] pointers; n_layers [n_curves] their lengths (0: no curve)
 *   first, n    rows first .. first + n - 1 are computed
 *   out         [n][n_curves], row-major
 * The same numbers as llmfp_curve_correlation of each pair, and 1 on the diagonal
 * where defined; work shared among pairs (each curve is resampled once per length,
 * or once per 8 MiB of curves where they do not fit that). Memory: 16 MiB, or two
 * of the longest curves.
 * Errors: LLMFP_FATAL without memory.                                    Local. */
enum llmfp_status llmfp_curve_correlation_rows(const double *const *curves, const size_t *n_layers,
                                               size_t n_curves, size_t first, size_t n, double *out,
                                               struct llmfp_error *error) LLMFP_MUST_CHECK;

#endif
