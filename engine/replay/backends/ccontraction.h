/* Vectors of 8, 4 and 2 numbers, as `ccontraction.py` uses them. */

typedef double V8 __attribute__((vector_size(64)));
typedef double V4 __attribute__((vector_size(32)));
typedef double V2 __attribute__((vector_size(16)));
typedef V8 __attribute__((aligned(8), may_alias)) U8;
typedef V4 __attribute__((aligned(8), may_alias)) U4;
typedef V2 __attribute__((aligned(8), may_alias)) U2;
/* KEEP has a vector in a register, where one is as wide: gcc would load it again for each use */
#if defined(__AVX512F__)
#define KEEP8(x) __asm__("" : "+v"(x))
#define KEEP4(x) __asm__("" : "+v"(x))
#define KEEP2(x) __asm__("" : "+v"(x))
#elif defined(__AVX__)
#define KEEP8(x)
#define KEEP4(x) __asm__("" : "+x"(x))
#define KEEP2(x) __asm__("" : "+x"(x))
#else
#define KEEP8(x)
#define KEEP4(x)
#ifdef __x86_64__
#define KEEP2(x) __asm__("" : "+x"(x))
#else
#define KEEP2(x)
#endif
#endif
#define AT8(p) (*(U8 *)(p))
#define AT4(p) (*(U4 *)(p))
#define AT2(p) (*(U2 *)(p))
#define AT1(p) (*(p))
#define SUM1(s) (s)
#define SUM2(s) ((s)[0] + (s)[1])
#define SUM4(s) (((s)[0] + (s)[2]) + ((s)[1] + (s)[3]))
static inline double SUM8(V8 s)
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}
