/* The payload of both pools, which the generated headers include: a descriptor, of a listener or of a connection. */
#ifndef ECHO_H
#define ECHO_H

#include <tidepool.h>

#endif
