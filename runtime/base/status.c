/* Status codes: the names and sentences, expanded from the one map. */
#include "status.h"

const char *tp_status_name(int status)
{
    switch (status) {
    case 0:
        return "TP_OK";
#define TP__STATUS_NAME(name, value, sentence) \
    case value:                                \
        return #name;
        TP_STATUS_MAP(TP__STATUS_NAME)
#undef TP__STATUS_NAME
    default:
        return "TP_E?";
    }
}

const char *tp_strerror(int status)
{
    switch (status) {
    case 0:
        return "success";
#define TP__STATUS_SENTENCE(name, value, sentence) \
    case value:                                    \
        return sentence;
        TP_STATUS_MAP(TP__STATUS_SENTENCE)
#undef TP__STATUS_SENTENCE
    default:
        return "unknown status code";
    }
}
