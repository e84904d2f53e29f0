/* The driver of the explorer: stands in for runtime/io/driver.c. Events are a number that a scenario posts; the kernel's wait is the
 * model's futex on a word that counts events and rings of the bell. */
#ifndef MODEL_DRIVER_H
#define MODEL_DRIVER_H

/* Before a scenario's threads: nothing has happened. */
void model_driver_reset(void);

/* Something happens that the driver watches. */
void model_driver_post(void);

/* What happened and was not dispatched yet. */
unsigned model_driver_pending(void);

/* Called by tp_driver_dispatch, for each event. */
extern void (*model_driver_on_event)(void);

#endif
