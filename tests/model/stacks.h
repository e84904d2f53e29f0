/* For scenarios whose tasks are coroutines. */
#ifndef MODEL_STACKS_H
#define MODEL_STACKS_H

/* First in set_up, after model_begin: the coroutines of the execution before are forgotten, wherever they stand. */
void model_stacks_begin(void);

#endif
