/* The atomics of the model build: each one is a call into the explorer.
 * Stands in for the second half of runtime/base/atomic.h; the names and orders are the same. */
#ifndef MODEL_ATOMIC_H
#define MODEL_ATOMIC_H

#include "model.h"

/* Bits, so that "acquires" and "releases" can be asked for. */
enum model_order { MODEL_RLX = 0,
    MODEL_ACQ = 1,
    MODEL_REL = 2,
    MODEL_ACQ_REL = 3,
    MODEL_SC = 7 };

/* Where an operation stands in the source: the function and the operand's text. */
uint64_t model_load(const void *p, size_t size, int order, const char *function, const char *operand);
void model_store(void *p, size_t size, uint64_t value, int order, const char *function, const char *operand);
uint64_t model_swap(void *p, size_t size, uint64_t value, int order, const char *function, const char *operand);
uint64_t model_add(void *p, size_t size, uint64_t value, int order, const char *function, const char *operand);
bool model_cas(void *p, size_t size, void *expected, uint64_t desired, int order, const char *function, const char *operand);
void model_fence(const char *function);
void model_pause(void);

#define tp_atomic(T) T
#define tp_atomic_init(p, v) ((void)(*(p) = (v)))

/* Integers and pointers of any width travel as 64 bits. */
#define MODEL_IN(p, v) ((uint64_t)(uintptr_t)(__typeof__(*(p)))(v))
#define MODEL_OUT(p, call) __extension__({ (__typeof__(*(p)))(uintptr_t)(call); })

#define MODEL_LOAD(p, order) MODEL_OUT(p, model_load((p), sizeof *(p), order, __func__, #p))
#define tp_load_rlx(p) MODEL_LOAD(p, MODEL_RLX)
#define tp_load_acq(p) MODEL_LOAD(p, MODEL_ACQ)
#define tp_load_sc(p) MODEL_LOAD(p, MODEL_SC)

#define MODEL_STORE(p, v, order) model_store((p), sizeof *(p), MODEL_IN(p, v), order, __func__, #p)
#define tp_store_rlx(p, v) MODEL_STORE(p, v, MODEL_RLX)
#define tp_store_rel(p, v) MODEL_STORE(p, v, MODEL_REL)
#define tp_store_sc(p, v) MODEL_STORE(p, v, MODEL_SC)

/* No scheduling points: what is noted has no consequence. */
#define tp_note(p, v) ((void)(*(p) = (v)))
#define tp_own(p) (*(p))

#define MODEL_SWAP(p, v, order) MODEL_OUT(p, model_swap((p), sizeof *(p), MODEL_IN(p, v), order, __func__, #p))
#define tp_swap_acq(p, v) MODEL_SWAP(p, v, MODEL_ACQ)
#define tp_swap_acq_rel(p, v) MODEL_SWAP(p, v, MODEL_ACQ_REL)
#define tp_swap_sc(p, v) MODEL_SWAP(p, v, MODEL_SC)

#define MODEL_ADD(p, v, order) MODEL_OUT(p, model_add((p), sizeof *(p), MODEL_IN(p, v), order, __func__, #p))
#define tp_add_rlx(p, v) MODEL_ADD(p, v, MODEL_RLX)
#define tp_add_sc(p, v) MODEL_ADD(p, v, MODEL_SC)

#define tp_cas_sc(p, expected, desired) \
    model_cas((p), sizeof *(p), (expected), MODEL_IN(p, desired), MODEL_SC, __func__, #p)

#define tp_fence_sc() model_fence(__func__)
#define tp_relax() model_pause()

#endif
