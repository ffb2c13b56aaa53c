#include <archive.h>
#include <archive_entry.h>

/* syncfs(2) makes a whole unpacked package durable at once. Glibc only declares it under _GNU_SOURCE, which Swift's
   module of Glibc is built without. */
int syncfs(int fd);
