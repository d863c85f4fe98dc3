/* What every program needs beside its loops, of which `ctext.py` takes the parts: the types, and
   functions, two empty lines before each. The last three take whole steps of training. */


#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#define NEVER_INLINED __declspec(noinline)
#else
#define PUBLIC __attribute__((visibility("default")))
#define NEVER_INLINED __attribute__((noinline))
#endif

typedef struct {
    double *values, *adjoints, *work, *seeds;
    const int *table;
} Memory;
typedef struct { const Memory *memory; const int64_t *calls, *end; } Pass;

/* the row that an index names, negative ones from the end; row 0 where it names none */
static inline int row_of(double index, int rows)
{
    const double place = index < 0.0 ? index + rows : index;
    return place >= 0.0 && place < rows ? (int)place : 0;
}


PUBLIC void run(const Pass *pass)
{
    for (const int64_t *p = pass->calls; p < pass->end; p += 2 + p[1]) {
        void (*call)(const Memory *, const int64_t *);
        memcpy(&call, p, sizeof call);
        call(pass->memory, p + 2);
    }
}


PUBLIC void call_zero(const Memory *m, const int64_t *p)
{
    memset(m->adjoints + p[0], 0, p[1] * sizeof(double));
}


PUBLIC void gather(double *to, const double *from, const int *rows, int count, int width)
{
    for (int k = 0; k < count; k++, to += width)
        memcpy(to, from + (int64_t)rows[k] * width, width * sizeof *to);
}


PUBLIC void largest(int *found, const double *v, const int *places, int count, int width)
{
    for (int k = 0; k < count; k++, places += width) {
        int best = 0;
        for (int j = 1; j < width; j++)
            if (v[places[j]] > v[places[best]]) best = j;
        found[k] = best;
    }
}


typedef struct { double *to; const double *from; int64_t count; } Span;
typedef struct {
    const Pass *forward, *backward, *move;
    const double *loss, *squares, *size, *values;
    Span parameters, gradient, rates;    /* lent, taken, given before each move */
    const Span *columns, *copies;        /* of the data; after a move */
    const int *outputs, *labels;
    int64_t column_count, copy_count, width, is_single;
    double twice;                        /* twice the threshold of a single output */
    int64_t done;
} Plan;

static inline void copied(const Span *s) { memcpy(s->to, s->from, s->count * sizeof(double)); }

static int is_exact(const Plan *p)
{
    if (*p->squares > TINY) return isfinite(*p->squares) && isfinite(*p->size);
    for (int64_t k = 0; k < p->gradient.count; k++)
        if (p->gradient.to[k] != 0.0) return 0;
    return isfinite(*p->size);
}

static int right(const Plan *p, const int *rows, int64_t points)
{
    int count = 0;
    for (int64_t k = 0; k < points; k++) {
        const int *at = p->outputs + k * p->width;
        int best = 0;
        if (p->is_single) best = p->values[at[0]] > p->twice - p->values[at[0]];
        for (int64_t j = 1; j < p->width; j++)
            if (p->values[at[j]] > p->values[at[best]]) best = j;
        count += best == p->labels[rows ? rows[k] : k];
    }
    return count;
}

/* nothing moves in a step that is not to be taken: it is for the caller, and so are those after */
PUBLIC void several(Plan *p, int64_t steps, int64_t points, const int *rows, const double *rates,
                    double *losses, double *squares, int *rights)
{
    for (int64_t n = 0; n < steps; n++) {
        for (int64_t c = 0; rows && c < p->column_count; c++) {
            const Span *s = p->columns + c;
            gather(s->to, s->from, rows, (int)points, (int)s->count);
        }
        copied(&p->parameters);
        run(p->forward);
        if (!isfinite(*p->loss)) return;
        run(p->backward);
        copied(&p->gradient);
        memcpy(p->rates.to, rates, p->rates.count * sizeof(double));
        run(p->move);
        if (!is_exact(p)) return;
        losses[n] = *p->loss;
        squares[n] = *p->squares;
        rights[n] = p->width ? right(p, rows, points) : 0;
        for (int64_t c = 0; c < p->copy_count; c++) copied(p->copies + c);
        p->done = n + 1;
        rates += p->rates.count;
        if (rows) rows += points;
    }
}
