// System calls that sealed and guarded workers must not make: EPERM. A list of refusals and not of permissions, since
// what functions call is not known beforehand; with a ceiling (FILTER_CEILING), so that calls of kernels to come are
// refused until they have been looked at. Numbers: name, x86-64, arm64; a test compares them with libseccomp's.
// Reasons for each group: seccomp(2), and the default profile of Docker, which refuses the same without capabilities.
#define TAIBAI_REFUSED_CALLS(X, NONE) \
    /* Other processes. */ \
    X(ptrace, 101, 117) \
    X(process_vm_readv, 310, 270) \
    X(process_vm_writev, 311, 271) \
    X(pidfd_getfd, 438, 438) \
    X(process_madvise, 440, 440) \
    X(kcmp, 312, 272) \
    /* Mounts and roots, old and new interface, and what tells about them. */ \
    X(mount, 165, 40) \
    X(umount2, 166, 39) \
    X(pivot_root, 155, 41) \
    X(chroot, 161, 51) \
    X(open_tree, 428, 428) \
    X(move_mount, 429, 429) \
    X(fsopen, 430, 430) \
    X(fsconfig, 431, 431) \
    X(fsmount, 432, 432) \
    X(fspick, 433, 433) \
    X(mount_setattr, 442, 442) \
    X(statmount, 457, 457) \
    X(listmount, 458, 458) \
    X(open_tree_attr, 467, 467) \
    /* Namespaces; clone(2) is looked at by its flags. */ \
    X(unshare, 272, 97) \
    X(setns, 308, 268) \
    /* Programs that run in the kernel, and faults that are handled outside it. */ \
    X(bpf, 321, 280) \
    X(perf_event_open, 298, 241) \
    X(userfaultfd, 323, 282) \
    X(io_uring_setup, 425, 425) \
    X(io_uring_enter, 426, 426) \
    X(io_uring_register, 427, 427) \
    X(kexec_load, 246, 104) \
    X(kexec_file_load, 320, 294) \
    X(init_module, 175, 105) \
    X(finit_module, 313, 273) \
    X(delete_module, 176, 106) \
    X(create_module, 174, NONE) \
    X(query_module, 178, NONE) \
    X(get_kernel_syms, 177, NONE) \
    /* Keyrings: they belong to users, and outlive namespaces. */ \
    X(add_key, 248, 217) \
    X(request_key, 249, 218) \
    X(keyctl, 250, 219) \
    /* Files by handle, past any root; whole file systems. */ \
    X(name_to_handle_at, 303, 264) \
    X(open_by_handle_at, 304, 265) \
    X(fanotify_init, 300, 262) \
    X(quotactl, 179, 60) \
    X(quotactl_fd, 443, 443) \
    X(swapon, 167, 224) \
    X(swapoff, 168, 225) \
    X(acct, 163, 89) \
    X(lookup_dcookie, 212, 18) \
    X(nfsservctl, 180, 42) \
    X(sysfs, 139, NONE) \
    X(ustat, 136, NONE) \
    /* The machine and its clock. */ \
    X(reboot, 169, 142) \
    X(settimeofday, 164, 170) \
    X(clock_settime, 227, 112) \
    X(clock_adjtime, 305, 266) \
    X(adjtimex, 159, 171) \
    X(syslog, 103, 116) \
    X(sethostname, 170, 161) \
    X(setdomainname, 171, 162) \
    X(vhangup, 153, 58) \
    X(_sysctl, 156, NONE) \
    X(uselib, 134, NONE) \
    /* The processor's state beyond a process's own. */ \
    X(iopl, 172, NONE) \
    X(ioperm, 173, NONE) \
    X(modify_ldt, 154, NONE) \
    X(personality, 135, 92) \
    /* Where memory lies. */ \
    X(mbind, 237, 235) \
    X(set_mempolicy, 238, 237) \
    X(migrate_pages, 256, 238) \
    X(move_pages, 279, 239) \
    X(set_mempolicy_home_node, 450, 450)
