/* For scenarios over the whole template. */
#ifndef MODEL_STAND_IN_H
#define MODEL_STAND_IN_H

/* First in set_up: forgets what an execution that was broken off has left. */
void model_begin(void);

#endif
