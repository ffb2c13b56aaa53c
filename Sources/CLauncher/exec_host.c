#include <unistd.h>
#include "internal.h"
_Noreturn void taibai_exec_host(void) { _exit(0); }
