/* Pools of objects. docs/sync.md.
 * Invariants, whenever the lock is free [OBJECT-1]: somebody waits only while no object is idle and as many exist as may, so one is
 * given back, ended, or fails to be made later, and whoever does that serves the first who waits. For each object that was made there is a node:
 * it holds the object while that is idle, and is spare while somebody has it. So to give back needs no memory. */
#include "objects.h"

#include "../base/assert.h"
#include "../base/status.h"
#include "../task.h"
#include "line.h"
#include "waitgroup.h"

#include <stdlib.h>

enum { MAKE = 1 }; /* the status of one who is to make an object, which is counted already */

struct node {
    struct node *next;
    void *object;
};

struct tp_objects {
    struct tp_objects_settings settings; /* written once */
    struct tp_waitgroup existing;        /* and one more while the pool is open */
    struct tp_gate gate;                 /* guards the rest; its line is of those who want an object */
    struct node *idle;                   /* the one given back last is the first */
    struct node *spare;
    struct tp_objects_stats stats;
    bool is_closed;
};

static void push(struct node **list, struct node *node)
{
    node->next = *list;
    *list = node;
}

static struct node *pop(struct node **list)
{
    struct node *node = *list;
    *list = node->next;
    return node;
}

/* -- serving ------------------------------------------------------------------------------------------- */

/* The first who waits goes on: with MAKE, or with 0 and the object. The lock is held; it is given up if there is one. Returns whether
 * there is. */
static bool serve(struct tp_objects *objects, int status, void *object)
{
    struct tp_party *party = objects->is_closed ? NULL : tp_line_take(&objects->gate.line);
    if (!party)
        return false;
    if (status == 0)
        *(void **)party->value = object;
    struct tp_wakeup call = tp_party_let_go(party, status);
    tp_spin_unlock(&objects->gate.lock);
    tp_wakeup_call(&call); /* which needs nothing of the pool [SYNC-2] */
    return true;
}

/* One that existed does not any more. The lock is held, and given up. */
static void vacate(struct tp_objects *objects)
{
    if (serve(objects, MAKE, NULL))
        return;
    objects->stats.n_existing--;
    tp_spin_unlock(&objects->gate.lock);
    tp_waitgroup_done(&objects->existing); /* from here on the pool may be gone */
}

static void end(struct tp_objects *objects, struct node *node)
{
    const struct tp_objects_settings *settings = &objects->settings;
    if (settings->end)
        settings->end(node->object, settings->context);
    free(node);
    tp_spin_lock(&objects->gate.lock);
    objects->stats.n_ends++;
    vacate(objects);
}

static uint64_t end_list(struct tp_objects *objects, struct node *list)
{
    uint64_t n = 0;
    for (; list; n++)
        end(objects, pop(&list));
    return n;
}

/* -- taking ------------------------------------------------------------------------------------------- */

/* One more exists. The lock is held. */
static int occupy(struct tp_objects *objects)
{
    objects->stats.n_existing++;
    tp_waitgroup_add(&objects->existing, 1);
    return MAKE;
}

struct making {
    struct tp_objects *objects;
    struct node *node; /* NULL once it is the pool's */
};

/* It is made, or was refused, or the factory has panicked. */
static void finish_making(void *argument)
{
    const struct making *making = argument;
    struct tp_objects *objects = making->objects;
    if (!making->node)
        return;
    free(making->node);
    tp_spin_lock(&objects->gate.lock);
    objects->stats.n_failures++;
    vacate(objects);
}

static int make(struct tp_objects *objects, void **out)
{
    void *object = NULL;
    struct making making = {objects, malloc(sizeof *making.node)};
    if (!making.node) {
        tp_spin_lock(&objects->gate.lock);
        vacate(objects);
        return TP_ENOMEM;
    }
    TP_DEFER(finish_making, &making);
    int status = objects->settings.make(&object, objects->settings.context);
    if (status != 0)
        return status;
    tp_spin_lock(&objects->gate.lock);
    push(&objects->spare, making.node);
    objects->stats.n_makes++;
    tp_spin_unlock(&objects->gate.lock);
    making.node = NULL;
    *out = object;
    return 0;
}

/* The lock is held, and given up. Returns as find. */
static int wait_for_one(struct tp_objects *objects, uint64_t deadline_ns, void **object)
{
    struct tp_party party = {.value = object};
    int status;
    objects->stats.n_waits++;
    if (!tp_gate_wait(&objects->gate, &party, deadline_ns, &status))
        tp_spin_unlock(&objects->gate.lock);
    return status;
}

/* Returns 0: *object is the caller's; MAKE; or why there is none. */
static int find(struct tp_objects *objects, uint64_t deadline_ns, void **object)
{
    int status = 0;
    tp_spin_lock(&objects->gate.lock);
    objects->stats.n_takes++;
    if (objects->is_closed) {
        status = TP_ECLOSED;
    } else if (objects->idle) {
        struct node *node = pop(&objects->idle);
        *object = node->object;
        push(&objects->spare, node);
        objects->stats.n_idle--;
    } else if (objects->stats.n_existing < objects->settings.max) {
        status = occupy(objects);
    } else if (deadline_ns == 0) {
        status = TP_ETIMEDOUT;
    } else {
        return wait_for_one(objects, deadline_ns, object);
    }
    tp_spin_unlock(&objects->gate.lock);
    return status;
}

int tp_objects_take(struct tp_objects *objects, uint64_t deadline_ns, void **object)
{
    int status = find(objects, deadline_ns, object);
    return status == MAKE ? make(objects, object) : status;
}

/* -- giving back -------------------------------------------------------------------------------------- */

struct giving {
    struct tp_objects *objects;
    void *object;
    bool is_good;
};

/* It is renewed, or not, or that has panicked. */
static void finish_giving(void *argument)
{
    const struct giving *giving = argument;
    struct tp_objects *objects = giving->objects;
    tp_spin_lock(&objects->gate.lock);
    if (giving->is_good && serve(objects, 0, giving->object))
        return;
    struct node *node = pop(&objects->spare);
    node->object = giving->object;
    bool stays = giving->is_good && !objects->is_closed && objects->stats.n_idle < objects->settings.idle_max;
    if (stays) {
        push(&objects->idle, node);
        objects->stats.n_idle++;
    }
    tp_spin_unlock(&objects->gate.lock);
    if (!stays)
        end(objects, node);
}

void tp_objects_give(struct tp_objects *objects, void *object)
{
    const struct tp_objects_settings *settings = &objects->settings;
    struct giving giving = {objects, object, !settings->renew};
    if (!settings->renew) {
        finish_giving(&giving);
        return;
    }
    TP_DEFER(finish_giving, &giving);
    giving.is_good = settings->renew(object, settings->context);
}

void tp_objects_drop(struct tp_objects *objects, void *object)
{
    struct giving giving = {objects, object, false};
    finish_giving(&giving);
}

uint64_t tp_objects_trim(struct tp_objects *objects, uint64_t keep)
{
    tp_spin_lock(&objects->gate.lock);
    struct node **at = &objects->idle;
    uint64_t n = 0;
    for (; *at && n < keep; n++)
        at = &(*at)->next;
    struct node *gone = *at;
    *at = NULL;
    objects->stats.n_idle = n;
    tp_spin_unlock(&objects->gate.lock);
    return end_list(objects, gone);
}

/* -- the life of a pool --------------------------------------------------------------------------------- */

int tp_objects_open(struct tp_objects **out, const struct tp_objects_settings *settings)
{
    uint64_t max = settings->max ? settings->max : UINT64_MAX, idle_max = settings->idle_max ? settings->idle_max : max;
    if (!settings->make || settings->prealloc > idle_max || idle_max > max)
        return TP_EINVAL;
    struct tp_objects *objects = malloc(sizeof *objects);
    if (!objects)
        return TP_ENOMEM;
    *objects = (struct tp_objects){.settings = *settings};
    objects->settings.max = max;
    objects->settings.idle_max = idle_max;
    tp_waitgroup_init(&objects->existing, 1);
    tp_gate_init(&objects->gate);
    int status = 0;
    for (uint64_t i = 0; i < settings->prealloc && status == 0; i++) {
        struct giving giving = {objects, NULL, true};
        occupy(objects);
        status = make(objects, &giving.object);
        if (status == 0)
            finish_giving(&giving);
    }
    if (status == 0)
        *out = objects;
    else
        tp_objects_free(objects);
    return status;
}

int tp_objects_close(struct tp_objects *objects, uint64_t deadline_ns)
{
    tp_spin_lock(&objects->gate.lock);
    bool is_first = !objects->is_closed;
    struct node *gone = objects->idle;
    objects->is_closed = true;
    objects->idle = NULL;
    objects->stats.n_idle = 0;
    tp_line_dismiss(&objects->gate.line, NULL, &objects->gate.lock, TP_ECLOSED);
    end_list(objects, gone);
    if (is_first)
        tp_waitgroup_done(&objects->existing);
    return tp_waitgroup_wait(&objects->existing, deadline_ns);
}

void tp_objects_free(struct tp_objects *objects)
{
    if (!objects)
        return;
    int status = tp_objects_close(objects, 0);
    tp_assert(status == 0);
    if (status != 0)
        return; /* somebody has one still: rather lose the memory */
    tp_gate_end(&objects->gate);
    free(objects);
}

void tp_objects_get_stats(struct tp_objects *objects, struct tp_objects_stats *out)
{
    tp_spin_lock(&objects->gate.lock);
    *out = objects->stats;
    tp_spin_unlock(&objects->gate.lock);
}
