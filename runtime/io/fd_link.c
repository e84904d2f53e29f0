/* Links: which driver watches which descriptor. Invariant: a link has one registration with its driver's poller, from when it is made
 * until an event says that it has ended, or the descriptor is closed, or the driver is (docs/io.md). */
#include "fd_slot.h"

#include "../base/status.h"
#include "../fibers.h"

#include <errno.h>
#include <stdlib.h>

static struct tp_spin link_lock; /* guards all links: they change when descriptors come and go */

void tp__links_init(void)
{
    tp_spin_init(&link_lock);
}

/* Where it hangs; NULL is there if it is not. The lock is held. */
static struct tp_fd_link **find_link(struct tp_fd_slot *slot, const struct tp_driver *driver)
{
    struct tp_fd_link **at = &slot->links;
    while (*at && (*at)->driver != driver)
        at = &(*at)->next;
    return at;
}

/* The lock is held. */
static void add_link(struct tp_fd_link *link)
{
    struct tp_driver *driver = link->driver;
    link->next = link->slot->links;
    link->slot->links = link;
    link->prev_linked = NULL;
    link->next_linked = driver->links;
    if (driver->links)
        driver->links->prev_linked = link;
    driver->links = link;
    tp_add_sc(&driver->n_linked, 1); /* one order with tp_driver_is_needed [LOOK-2] */
}

/* Takes it from its driver's list only. */
static void leave_driver(struct tp_fd_link *link)
{
    struct tp_driver *driver = link->driver;
    *(link->prev_linked ? &link->prev_linked->next_linked : &driver->links) = link->next_linked;
    if (link->next_linked)
        link->next_linked->prev_linked = link->prev_linked;
    tp_add_sc(&driver->n_linked, (uint32_t)-1); /* in one order, as in add_link [LOOK-2] */
}

/* Takes it from its slot's list, which it hangs in there, and from its driver's. */
static void leave_both(struct tp_fd_link **at)
{
    struct tp_fd_link *link = *at;
    *at = link->next;
    if (tp_load_rlx(&link->slot->driver) == link->driver) /* relaxed, as the store: the lock orders them */
        tp_store_rlx(&link->slot->driver, NULL);
    leave_driver(link);
}

static void free_links(struct tp_fd_link *link)
{
    while (link) {
        struct tp_fd_link *next = link->next;
        free(link);
        link = next;
    }
}

void tp__link_remove(struct tp_fd_slot *slot, const struct tp_driver *driver, uint64_t data)
{
    tp_spin_lock(&link_lock);
    struct tp_fd_link **at = find_link(slot, driver), *link = *at;
    bool is_it = link && link->data == data; /* else the event was late: the slot has another life, or none */
    if (is_it)
        leave_both(at);
    tp_spin_unlock(&link_lock);
    if (is_it)
        free(link);
}

int tp__slot_link(struct tp_fd_slot *slot, struct tp_fd fd, struct tp_fibers *fibers)
{
    struct tp_driver *driver = &fibers->lookout.driver;
    if (tp_load_acq(&slot->driver) == driver) /* pairs with the release below: the link is there */
        return 0;
    struct tp_fd_link *link = malloc(sizeof *link);
    int status = link ? tp_lookout_open(fibers) : TP_ENOMEM;
    if (status != 0) {
        free(link);
        return status;
    }
    uint64_t data = data_of(fd.tag, fd.fd);
    *link = (struct tp_fd_link){.slot = slot, .data = data, .driver = driver};
    tp_spin_lock(&link_lock);
    bool is_first = !*find_link(slot, driver);
    if (is_first)
        add_link(link);
    tp_store_rel(&slot->driver, driver); /* pairs with the acquire above */
    tp_spin_unlock(&link_lock);
    if (!is_first) {
        free(link);
        return 0;
    }
    int saved = errno;
    status = driver->poller.kind->watch(&driver->poller, fd.fd, data);
    if (status != 0)
        tp__slot_end_link(slot, driver, data, 0); /* others may have come to rely on it, and will try themselves [FD-3] */
    errno = saved;
    return status;
}

void tp__slot_unlink(struct tp_fd_slot *slot)
{
    tp_spin_lock(&link_lock);
    struct tp_fd_link *link = slot->links;
    slot->links = NULL;
    tp_store_rlx(&slot->driver, NULL); /* relaxed: the next life begins by a release */
    for (struct tp_fd_link *at = link; at; at = at->next) {
        tp_add_rlx(&at->driver->n_guests, 1); /* relaxed: under the lock, which tp_driver_free takes before it looks */
        leave_driver(at);
    }
    tp_spin_unlock(&link_lock);
    for (struct tp_fd_link *at = link; at; at = at->next) {
        if (tp_driver_is_own(at->driver)) /* else the parent's tasks wait for it */
            at->driver->poller.kind->forget(&at->driver->poller, (int)(uint32_t)at->data, at->data);
        tp_add_sc(&at->driver->n_guests, (uint32_t)-1); /* sequentially consistent for want of a release; pairs with the acquire in tp_driver_free */
    }
    free_links(link);
}

void tp__fd_unlink_all(struct tp_driver *driver)
{
    struct tp_fd_link *gone = NULL;
    tp_spin_lock(&link_lock);
    while (driver->links) {
        struct tp_fd_link *link = driver->links;
        leave_both(find_link(link->slot, driver));
        link->next = gone;
        gone = link;
    }
    tp_spin_unlock(&link_lock);
    free_links(gone);
}
