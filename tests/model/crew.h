/* What a scenario may ask of the model's crew. */
#ifndef MODEL_CREW_H
#define MODEL_CREW_H

/* So many starts of threads may be refused, each one by a choice of the explorer. Set in set_up,
 * after tp_crew_init. */
extern unsigned model_refusals;

#endif
