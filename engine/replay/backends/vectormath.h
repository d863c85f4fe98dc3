/* The functions of mathematics in C, written so that a compiler runs loops of them in vector
   registers: no branch, no table and no call, only arithmetic, bits and choices.

   Each paragraph, from one empty line to the next, is one function; a program gets those that it
   needs. An error that is named, in units of the last place (ulp) of the exact result, is never
   exceeded by the millions of numbers that were tried. Polynomials are minimax ones (Remez).
   Special values give what Python's functions give, and inf or nan where those raise. Many sums
   and products carry a rest: what rounding took from them, which is added where it counts. */

#define INLINE static inline __attribute__((always_inline))
#define SHIFT 6755399441055744.0 /* 1.5 times 2^52: a sum with it ends in the nearest integer */
#define TWO_52 4503599627370496.0 /* from here on a double has no fraction */
#define LN2 0.6931471805598903 /* 42 bits, so that its products with exponents are exact */
#define LN2_REST 5.497923018708371e-14

/* The bits of a number. */
INLINE uint64_t v_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, 8);
    return bits;
}

/* The number that has these bits. */
INLINE double v_number(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

/* x * y + z, in one rounding where that is one instruction. */
INLINE double v_fused(double x, double y, double z)
{
#if defined(__FMA__) || defined(__FP_FAST_FMA)
    return __builtin_fma(x, y, z);
#else
    return x * y + z;
#endif
}

/* x * y - z, exactly, where z is x * y but for rounding: else by halves of x and y (Dekker). */
INLINE double v_product_rest(double x, double y, double z)
{
#if defined(__FMA__) || defined(__FP_FAST_FMA)
    return __builtin_fma(x, y, -z);
#else
    const double p = x * 134217729.0, q = y * 134217729.0;
    const double a = p - (p - x), b = x - a, c = q - (q - y), d = y - c;
    return ((a * c - z) + a * d + b * c) + b * d;
#endif
}

/* z - x * y, exactly, where the two are so near that a double holds it. */
INLINE double v_less(double z, double x, double y)
{
#if defined(__FMA__) || defined(__FP_FAST_FMA)
    return __builtin_fma(-x, y, z);
#else
    return (z - x * y) - v_product_rest(x, y, x * y);
#endif
}

/* (x + x_rest) / (y + y_rest), rounded nearly once: what x / y leaves is divided again. */
INLINE double v_quotient(double x, double x_rest, double y, double y_rest)
{
    const double inverse = 1.0 / y, q = x * inverse;
    return v_fused(v_less(x, q, y) + v_fused(-q, y_rest, x_rest), inverse, q);
}

/* Four steps of a polynomial: p * x^4 + d * x^3 + c * x^2 + b * x + a, by two short ways that a
   processor goes at once. */
INLINE double v_four(double p, double x, double a, double b, double c, double d)
{
    const double z = x * x;
    return v_fused(p, z * z, v_fused(v_fused(d, x, c), z, v_fused(b, x, a)));
}

/* exp(r) - 1 - r by r * r, for abs(r) up to log(2) / 2. */
INLINE double v_exp_tail(double r)
{
    double p = v_fused(
        v_fused(2.087851546127079e-09, r, 2.5107488482541512e-08),
        r, 2.755733328162459e-07);
    p = v_four(
        p, r,
        0.0013888888888871549, 0.00019841269884471397,
        2.4801587314164396e-05, 2.7557247329820556e-06);
    return v_four(p, r, 0.5, 0.16666666666666677, 0.0416666666666667, 0.008333333333321776);
}

/* factor * exp(x - rest), for a rest far below x: x is n * log(2) + r; the power of two comes in
   two halves, so that results too small or too large for one are right. */
INLINE double v_exp_times(double x, double rest, double factor)
{
    const double c = x > 711.0 ? 711.0 : x < -747.0 ? -747.0 : x;
    const double shifted = v_fused(c, 1.4426950408889634, SHIFT + 2046.0);
    const double n = shifted - (SHIFT + 2046.0);
    const double a = v_fused(-n, LN2, c), b = v_fused(n, LN2_REST, rest), r = a - b;
    const uint64_t both = v_bits(shifted), half = both >> 1;
    const double tail = v_fused(r * r, v_exp_tail(r), (a - r) - b), first = 1.0 + r;
    const double power = first + ((r - (first - 1.0)) + tail);
    return power * factor * v_number(half << 52) * v_number((both - half) << 52);
}

/* exp: at most 0.7 ulp off. */
INLINE double v_exp(double x)
{
    return v_exp_times(x, 0.0, 1.0);
}

/* (exp(x) - 1) / 4 for x from -40 to 710.6, where exp itself may be too large. With x as
   n * log(2) + r it is (2^n - 1) / 4 + 2^n / 4 * (r + ...); what rounding takes from the sum of
   the first two is added to the third. Loses digits of subnormal numbers. */
INLINE double v_expm1_quarter(double x, double *rest)
{
    const double shifted = v_fused(x, 1.4426950408889634, SHIFT);
    const double n = shifted - SHIFT;
    const double a = v_fused(-n, LN2, x), b = n * LN2_REST, r = a - b, less_r = (a - r) - b;
    const double scale = v_number((v_bits(shifted) << 52) + ((uint64_t)1021 << 52));
    const double less = scale - 0.25, linear = scale * r, sum = less + linear;
    const double part = sum - less, lost = (less - (sum - part)) + (linear - part);
    const double tail = v_fused(scale, v_fused(r * r, v_exp_tail(r), less_r), lost);
    const double y = sum + tail;
    *rest = (sum - y) + tail;
    return y;
}

/* expm1: 1.3 ulp. A tiny x is its own. */
INLINE double v_expm1(double x)
{
    const double c = x > 710.0 ? 710.0 : x < -40.0 ? -40.0 : x;
    double rest;
    return __builtin_fabs(x) < 1e-17 ? x : 4.0 * v_expm1_quarter(c, &rest);
}

/* tanh: 1 ulp. From q = (exp(2x) - 1) / 4 as q / (q + 1/2). */
INLINE double v_tanh(double x)
{
    const double a = __builtin_fabs(x), c = a > 22.0 ? 22.0 : a;
    double rest;
    const double q = v_expm1_quarter(2.0 * c, &rest), d = q + 0.5;
    const double y = v_quotient(q, rest, d, (q - (d - 0.5)) + rest);
    return __builtin_fabs(x) < 1e-17 ? x : __builtin_copysign(y, x);
}

/* sinh: 1.85 ulp. From q = (exp(x) - 1) / 4 as 2q + 2q / (4q + 1). */
INLINE double v_sinh(double x)
{
    const double a = __builtin_fabs(x);
    double rest;
    const double q = v_expm1_quarter(a > 710.5 ? 710.5 : a, &rest);
    const double inverse = 1.0 / v_fused(4.0, q, 1.0);
    const double y = 2.0 * (q + v_fused(rest, v_fused(inverse, inverse, 1.0), q * inverse));
    return a < 1e-17 ? x : __builtin_copysign(y, x);
}

/* cosh: 1.2 ulp. From h = exp(x) / 2 as h + 1 / (4h). */
INLINE double v_cosh(double x)
{
    const double h = v_exp_times(__builtin_fabs(x), 0.0, 0.5);
    return h + 0.25 / h;
}

/* x = 2^exponent * m, m from sqrt(1/2) to sqrt(2), for positive x that is not subnormal. */
INLINE double v_mantissa(double x, double *exponent)
{
    const uint64_t root = 0x3fe6a09e667f3bcd, above = v_bits(x) + (v_bits(1.0) - root);
    *exponent = v_number((above >> 52) | v_bits(TWO_52)) - (TWO_52 + 1023.0);
    return v_number((above & 0x000fffffffffffff) + root);
}

/* The same for any positive x. */
INLINE double v_any_mantissa(double x, double *exponent)
{
    const int is_subnormal = x < 2.2250738585072014e-308;
    const double m = v_mantissa(is_subnormal ? x * TWO_52 : x, exponent);
    *exponent -= is_subnormal ? 52.0 : 0.0;
    return m;
}

/* log(1 + f) + rest + exponent * log(2), for 1 + f from sqrt(1/2) to sqrt(2): by s = f / (2 + f),
   with which log(1 + f) is 2 * atanh(s), or f - f * f / 2 + s * (f * f / 2 + ...). */
INLINE double v_log_sum(double f, double rest, double exponent)
{
    const double s = f / (2.0 + f), z = s * s;
    double p = v_fused(
        v_fused(0.14795741146515207, z, 0.15314075168805513),
        z, 0.18183563181608456);
    p = v_four(
        p, z, 0.6666666666666734, 0.39999999999416536, 0.28571428742067617, 0.2222219859974928);
    const double half = 0.5 * f, tail = v_fused(z, p, half * f);
    const double less = v_fused(-half, f, v_fused(s, tail, v_fused(exponent, LN2_REST, rest)));
    return v_fused(exponent, LN2, f + less);
}

/* log: 0.9 ulp. */
INLINE double v_log(double x)
{
    double exponent;
    const double f = v_any_mantissa(x, &exponent) - 1.0, y = v_log_sum(f, 0.0, exponent);
    return x > 0.0 ? (x < INFINITY ? y : x) : x == 0.0 ? -INFINITY : NAN;
}

/* log1p: 1.1 ulp. The log of u = 1 + x, and what rounding took from u by u. */
INLINE double v_log1p(double x)
{
    double exponent;
    const double u = 1.0 + x, one = u - x, rest = (x - (u - one)) + (1.0 - one);
    const double m = v_mantissa(u, &exponent), f = m - 1.0;
    const double scale = x < 1e17 ? v_number(v_bits(m) - v_bits(u) + v_bits(1.0)) : 0.0;
    const double lost = rest * scale, y = v_log_sum(f, v_fused(-lost, f, lost), exponent);
    const double z = x > -1.0 ? (x < INFINITY ? y : x) : x == -1.0 ? -INFINITY : NAN;
    return __builtin_fabs(x) < 1e-17 ? x : z;
}

/* sigmoid: 1.5 ulp. From e = exp(-abs(x)). */
INLINE double v_sigmoid(double x)
{
    const double e = v_exp(-__builtin_fabs(x)), d = 1.0 + e;
    return v_quotient(x < 0.0 ? e : 1.0, 0.0, d, e - (d - 1.0));
}

/* sigmoid_slope: 2.4 ulp. s * (1 - s), by the s that is at most 1/2. */
INLINE double v_sigmoid_slope(double x)
{
    const double s = v_sigmoid(-__builtin_fabs(x));
    return v_fused(-s, s, s);
}

/* softplus: 1.75 ulp. log(1 + exp(x)), from e = exp(-abs(x)): 1 + e is 1 + f, or 2 * (1 + f). */
INLINE double v_softplus(double x)
{
    const double e = v_exp(-__builtin_fabs(x));
    const int is_large = e > 0.41421356237309503;
    const double f = is_large ? 0.5 * e - 0.5 : e;
    return (x > 0.0 ? x : 0.0) + v_log_sum(f, 0.0, is_large ? 1.0 : 0.0);
}

/* abs(x) less the nearest multiple of pi/2, with a rest; the quadrant counts the multiples. Beyond
   1e9 it says that x is too far: then all of the loop is to go by the library of C, which sin, cos
   and tan do without a place for that. pi/2 has three parts, the first two multiplied exactly. */
INLINE double v_reduced(double x, double *rest, uint64_t *quadrant, double *far)
{
    const double a = __builtin_fabs(x), shifted = v_fused(a, 0.6366197723675814, SHIFT);
    const double n = shifted - SHIFT;
    const double first = v_less(a, n, 1.5707963267948966), q = n * 6.123233995736766e-17;
    const double r = first - q, part = first - r;
    const double lost = (first - (r + part)) + (part - q);
    *rest = lost - v_fused(n, -1.4973849048591698e-33, v_product_rest(n, 6.123233995736766e-17, q));
    *quadrant = v_bits(shifted);
    *far = a > 1e9 ? 1.0 : *far;
    return r;
}

/* sin(r + rest), for abs(r) up to pi/4, and what rounding took from it. */
INLINE double v_sin_part(double r, double rest, double *lost)
{
    const double z = r * r;
    double p = v_fused(1.5896886448501119e-10, z, -2.5050759889117114e-08);
    p = v_four(
        p, z,
        -0.16666666666666632, 0.008333333333322486, -0.0001984126982985337, 2.7557313705064683e-06);
    const double tail = v_fused(r * z, p, v_fused(-0.5 * z, rest, rest)), y = r + tail;
    *lost = (r - y) + tail;
    return y;
}

/* cos(r + rest), for abs(r) up to pi/4, and what rounding took from it. */
INLINE double v_cos_part(double r, double rest, double *lost)
{
    const double z = r * r, half = 0.5 * z, first = 1.0 - half;
    double p = v_fused(-1.1359928114008866e-11, z, 2.0875729193983666e-09);
    p = v_four(
        p, z,
        0.0416666666666666, -0.0013888888888874474,
        2.4801587289670924e-05, -2.7557314400625147e-07);
    const double tail = ((1.0 - first) - half) + v_fused(z * z, p, -r * rest), y = first + tail;
    *lost = (first - y) + tail;
    return y;
}

/* The first where the lowest bit is 0, else the second. */
INLINE double v_either(uint64_t bit, double first, double second)
{
    const uint64_t mask = -(bit & 1);
    return v_number((v_bits(first) & ~mask) | (v_bits(second) & mask));
}

/* sin: 0.85 ulp. */
INLINE double v_sin(double x, double *far)
{
    if (!far) return sin(x);
    double rest, lost;
    uint64_t quadrant;
    const double r = v_reduced(x, &rest, &quadrant, far);
    const double y = v_either(quadrant, v_sin_part(r, rest, &lost), v_cos_part(r, rest, &lost));
    return v_number(v_bits(y) ^ ((quadrant & 2) << 62) ^ (v_bits(x) & ((uint64_t)1 << 63)));
}

/* cos: 0.85 ulp. */
INLINE double v_cos(double x, double *far)
{
    if (!far) return cos(x);
    double rest, lost;
    uint64_t quadrant;
    const double r = v_reduced(x, &rest, &quadrant, far);
    const double y = v_either(quadrant, v_cos_part(r, rest, &lost), v_sin_part(r, rest, &lost));
    return v_number(v_bits(y) ^ (((quadrant + 1) & 2) << 62));
}

/* tan: 1.1 ulp. sin by cos, and minus cos by sin in every second quadrant. */
INLINE double v_tan(double x, double *far)
{
    if (!far) return tan(x);
    double rest, s_rest, c_rest;
    uint64_t quadrant;
    const double r = v_reduced(x, &rest, &quadrant, far);
    const double s = v_sin_part(r, rest, &s_rest), c = v_cos_part(r, rest, &c_rest);
    const double y = v_quotient(
        v_either(quadrant, s, c), v_either(quadrant, s_rest, c_rest),
        v_either(quadrant, c, s), v_either(quadrant, c_rest, s_rest));
    return v_number(v_bits(y) ^ (quadrant << 63) ^ (v_bits(x) & ((uint64_t)1 << 63)));
}

/* atan: 1.95 ulp. pi/4 + atan((a - 1) / (a + 1)) for a near 1, pi/2 - atan(1 / a) above. */
INLINE double v_atan(double x)
{
    const double a = __builtin_fabs(x);
    const int is_middle = a > 0.41421356237309503, is_large = a > 2.414213562373095;
    const double above = is_large ? -1.0 : is_middle ? a - 1.0 : a;
    const double below = is_large ? a : is_middle ? a + 1.0 : 1.0;
    const double base = is_large ? 1.5707963267948966 : is_middle ? 0.7853981633974483 : 0.0;
    const double q = above / below, z = q * q;
    double p = v_fused(
        v_fused(-0.01791292681754367, z, 0.03806994006982793),
        z, -0.05039522426677088);
    p = v_four(
        p, z, -0.09090897792797879, 0.07692060834823965, -0.06663110997512715, 0.05847938843903012);
    p = v_four(
        p, z, -0.333333333333332, 0.19999999999953819, -0.1428571428022053, 0.11111110784675918);
    const double rest = base * 3.8981718325193755e-17;
    return __builtin_copysign(base + (q + v_fused(q * z, p, rest)), x);
}

/* (asin(s) - s) / s, for z = s * s up to 1/4. */
INLINE double v_asin_tail(double z)
{
    double p = v_fused(
        v_fused(0.03195928097778532, z, -0.01629444644619613), z * z,
        v_fused(0.019574077809537623, z, 0.00651081904605031));
    p = v_four(
        p, z, 0.02237175355423, 0.01735977081798025, 0.013884599784412232, 0.01217327955422668);
    p = v_four(
        p, z, 0.16666666666665383, 0.07500000000342945, 0.04464285682354352, 0.0303819593294);
    return p * z;
}

/* asin: 1.3 ulp. pi/2 - 2 * asin(sqrt((1 - x) / 2)) above 1/2. */
INLINE double v_asin(double x)
{
    const double a = __builtin_fabs(x), half = 0.5 - 0.5 * a;
    const int is_large = a > 0.5;
    const double z = is_large ? half : a * a, s = is_large ? sqrt(half) : a;
    const double tail = s * v_asin_tail(z), first = 1.5707963267948966 - 2.0 * s;
    const double rest = ((1.5707963267948966 - first) - 2.0 * s) + 6.123233995736766e-17;
    const double large = first + (rest - 2.0 * tail);
    return __builtin_copysign(is_large ? large : s + tail, x);
}

/* acos: 1.3 ulp. pi/2 - asin(x), or 2 * asin(sqrt((1 - x) / 2)), or pi less that of -x. */
INLINE double v_acos(double x)
{
    const double a = __builtin_fabs(x), half = 0.5 - 0.5 * a;
    const int is_large = a > 0.5;
    const double z = is_large ? half : a * a, s = is_large ? 2.0 * sqrt(half) : x;
    const double base = is_large ? 3.141592653589793 : 1.5707963267948966;
    const double tail = s * v_asin_tail(z);
    const double lower = (base - s) + (base * 3.8981718325193755e-17 - tail);
    return x > 0.5 ? s + tail : lower;
}

/* erfc for x of at least 0: exp(-x * x) / (1 + 2x) times a polynomial in (x - 3) / (x + 3). */
INLINE double v_erfc_positive(double x)
{
    const double c = x > 28.0 ? 28.0 : x;
    const double q = (c - 3.0) / (c + 3.0), square = c * c;
    double p = v_fused(
        v_fused(-4.746439061448291e-09, q, -9.861049473352783e-09),
        q, 3.367746787046255e-08);
    p = v_four(
        p, q,
        3.463674964357889e-07, -6.108323964725523e-07,
        -1.303157589065904e-07, 9.618901709983162e-08);
    p = v_four(
        p, q,
        4.9467764549989645e-06, -2.0098563458443355e-05,
        -7.249887260260426e-07, 3.468325768457361e-06);
    p = v_four(
        p, q,
        0.001888690233020163, -0.0007798321257409328,
        -0.00010515906355678595, 0.00012509868214622847);
    p = v_four(
        p, q,
        -0.1192736634159664, 0.06830802734542239, -0.023770514905946654, 0.002529391796497646);
    p = v_four(
        p, q, 1.2530080582697296, -0.1356211061245807, -0.04756229435343746, 0.129645158702712);
    return v_exp_times(-square, v_product_rest(c, c, square), p / (1.0 + 2.0 * c));
}

/* erf(x) / x - 1, for z = x * x up to 0.65 * 0.65. */
INLINE double v_erf_tail(double z)
{
    double p = v_fused(
        v_fused(4.5793227207918896e-08, z, -2.3231848703870983e-07),
        z, 1.7089582099302643e-06);
    p = v_four(
        p, z,
        0.005223977829916801, -0.0008548344939457172,
        0.00012056288753134863, -1.495718713705367e-05);
    return v_four(
        p, z, 0.1283791670955126, -0.3761263890318433, 0.11283791670999853, -0.026866170658543704);
}

/* erf: 2.3 ulp. */
INLINE double v_erf(double x)
{
    const double a = __builtin_fabs(x), y = v_fused(a, v_erf_tail(a * a), a);
    return __builtin_copysign(a > 0.65 ? 1.0 - v_erfc_positive(a) : y, x);
}

/* erfc: 4.5 ulp, 1.5 up to 0.65. */
INLINE double v_erfc(double x)
{
    const double a = __builtin_fabs(x), large = v_erfc_positive(a);
    const double small = 1.0 - v_fused(x, v_erf_tail(a * a), x);
    return a > 0.65 ? (x < 0.0 ? 2.0 - large : large) : small;
}

/* log(x) with a rest, together 64 bits right, for positive x: as v_log_sum, with rests. */
INLINE double v_log_pair(double x, double *rest)
{
    double e;
    const double f = v_any_mantissa(x, &e) - 1.0;
    const double d = 2.0 + f, d_rest = f - (d - 2.0), inverse = 1.0 / d;
    const double s = f * inverse, s_rest = v_fused(-s, d_rest, v_less(f, s, d)) * inverse;
    const double z = s * s, z_rest = v_fused(2.0 * s, s_rest, v_product_rest(s, s, z));
    double p = v_fused(
        v_fused(0.11989014196533278, z, 0.11674818388160534), z * z,
        v_fused(0.13336317424825392, z, 0.15384556870840543));
    p = v_four(
        p, z, 0.3999999999999998, 0.2857142857144511, 0.2222222221753644, 0.18181818870317268);
    const double third = 0.6666666666666666, third_rest = 3.700743415417188e-17; /* of 2 */
    const double t = v_fused(p, z, third);
    const double t_rest = v_fused(p, z, third - t) + v_fused(p, z_rest, third_rest);
    const double u = t * z;
    const double u_rest = v_fused(t_rest, z, v_fused(t, z_rest, v_product_rest(t, z, u)));
    const double v = u * s;
    const double v_rest = v_fused(u_rest, s, v_fused(u, s_rest, v_product_rest(u, s, v)));
    const double m = 2.0 * s + v, m_rest = (2.0 * s - m) + v + (v_rest + 2.0 * s_rest);
    const double k = e * LN2, y = k + m;
    *rest = (k - y) + m + v_fused(e, LN2_REST, m_rest);
    return y;
}

/* Whether a number of at least 0 has no fraction. */
INLINE int v_is_whole(double x)
{
    return (x >= TWO_52) | ((x + TWO_52) - TWO_52 == x);
}

/* pow: 0.75 ulp. exp(y * log(abs(x))), both factors and the product in pairs. */
INLINE double v_pow(double x, double y)
{
    const double a = __builtin_fabs(x), b = __builtin_fabs(y);
    double rest;
    const double found = v_log_pair(a, &rest);
    const double l = a == 0.0 ? -INFINITY : a < INFINITY ? found : a;
    const double c = y > 1e300 ? 1e300 : y < -1e300 ? -1e300 : y, product = c * l;
    const double lost = v_fused(c, rest, v_product_rest(c, l, product));
    const double power = v_exp_times(product, __builtin_fabs(product) < 800.0 ? -lost : 0.0, 1.0);
    const int is_whole = v_is_whole(b), is_odd = is_whole & !v_is_whole(0.5 * b);
    const int is_nan = (x < 0.0) & (a < INFINITY) & !is_whole;
    const double z = is_nan ? NAN : is_odd ? __builtin_copysign(power, x) : power;
    return y == 2.0 ? x * x : y == 1.0 ? x : (y == 0.0) | (x == 1.0) ? 1.0 : z;
}

/* log2: 0.6 ulp. The exponent, and the log of the mantissa as a pair by log(2). */
INLINE double v_log2(double x)
{
    double e, rest;
    const double m = v_any_mantissa(x, &e), l = v_log_pair(m, &rest);
    const double inverse = 1.4426950408889634, q = l * inverse;
    const double less = v_fused(l, 2.0355273740931033e-17, rest * inverse);
    const double q_rest = v_product_rest(l, inverse, q) + less;
    const double y = e + q, found = y + ((e - y) + q + q_rest);
    return x > 0.0 ? (x < INFINITY ? found : x) : x == 0.0 ? -INFINITY : NAN;
}

/* log10: 0.6 ulp. The log as a pair by log(10). */
INLINE double v_log10(double x)
{
    double rest;
    const double l = v_log_pair(x, &rest), inverse = 0.4342944819032518, q = l * inverse;
    const double less = v_fused(l, 1.098319650216765e-17, rest * inverse);
    const double found = q + (v_product_rest(l, inverse, q) + less);
    return x > 0.0 ? (x < INFINITY ? found : x) : x == 0.0 ? -INFINITY : NAN;
}

/* cbrt: 0.75 ulp. exp(log(abs(x)) / 3), the third in a pair. */
INLINE double v_cbrt(double x)
{
    const double a = __builtin_fabs(x);
    double rest;
    const double l = v_log_pair(a, &rest), third = l * 0.3333333333333333;
    const double lost = (v_less(l, 3.0, third) + rest) * 0.3333333333333333;
    const double y = __builtin_copysign(v_exp_times(third, -lost, 1.0), x);
    return (a > 0.0) & (a < INFINITY) ? y : x;
}

/* hypot: 0.6 ulp. A power of two keeps the squares from being too large or too small; the root of
   their sum is mended by what rounding took from them. */
INLINE double v_hypot(double x, double y)
{
    const double a = __builtin_fabs(x), b = __builtin_fabs(y);
    const double large = a > b ? a : b, small = a > b ? b : a;
    const double by = large > 1e150 ? 2.409919865102884e-181
                    : large < 1e-140 ? 4.149515568880993e+180 : 1.0;
    const double p = large * by, q = small * by, pp = p * p, qq = q * q;
    const double sum = pp + qq, h = sqrt(sum);
    const double lost = (v_product_rest(p, p, pp) + v_product_rest(q, q, qq)) + ((pp - sum) + qq);
    const double z = (h + (v_less(sum, h, h) + lost) / (2.0 * h)) / by;
    return (a == INFINITY) | (b == INFINITY) ? INFINITY : small == 0.0 ? large : z;
}

/* asinh: 2 ulp. The log of 1 + a + (sqrt(1 + a * a) - 1); of a large a that of 2a. */
INLINE double v_asinh(double x)
{
    const double a = __builtin_fabs(x), square = a * a;
    const int is_large = a > 1e17;
    const double above = is_large ? a : a + square / (1.0 + sqrt(1.0 + square));
    const double y = v_log1p(above) + (is_large ? 0.6931471805599453 : 0.0);
    return __builtin_copysign(y, x);
}

/* acosh: 2.2 ulp. As asinh, from x - 1. */
INLINE double v_acosh(double x)
{
    const double t = x - 1.0;
    const int is_large = x > 1e17;
    const double above = is_large ? x : t + sqrt(v_fused(t, t, 2.0 * t));
    const double y = v_log1p(above) + (is_large ? 0.6931471805599453 : 0.0);
    return x < 1.0 ? NAN : y;
}

/* atanh: 2 ulp. Half the log of 1 + 2a / (1 - a). */
INLINE double v_atanh(double x)
{
    const double a = __builtin_fabs(x), d = 1.0 - a;
    const double y = 0.5 * v_log1p(v_quotient(2.0 * a, 0.0, d, (1.0 - d) - a));
    const double z = a < 1.0 ? y : a == 1.0 ? INFINITY : NAN;
    return a < 1e-17 ? x : __builtin_copysign(z, x);
}

/* atan2: 2.5 ulp. atan of the smaller by the larger, in the right half of the right quarter. */
INLINE double v_atan2(double x, double y)
{
    const double a = __builtin_fabs(x), b = __builtin_fabs(y);
    const double large = a > b ? a : b, small = a > b ? b : a;
    const double q = small == large ? (large == 0.0 ? 0.0 : 1.0) : small / large;
    const double p = v_atan(q);
    const double quarter = a > b ? 1.5707963267948966 - (p - 6.123233995736766e-17) : p;
    const int is_left = __builtin_copysign(1.0, y) < 0.0;
    const double half = is_left ? 3.141592653589793 - (quarter - 1.2246467991473532e-16) : quarter;
    return __builtin_copysign(half, x);
}
