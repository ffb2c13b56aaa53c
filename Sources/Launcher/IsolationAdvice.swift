// What to do about a level of isolation that a host can't give: from the step that failed and its errno to a sentence.

internal import Glibc
public import Model

/// Advice for operators.
public enum IsolationAdvice {
    /// What to do so that `level` becomes possible.
    /// - Parameter error: the first step that failed.
    public static func cure(for error: LaunchError?, at level: IsolationLevel) -> String {
        guard let error else { return "look into the server's log" }
        let isRefused = error.errno == EPERM || error.errno == EACCES
        let isSpent = error.errno == ENOSPC || error.errno == EUSERS
        switch error.step {
        case .clone where isSpent, .ownNamespaces where isSpent:
            return "there is no room for a user namespace: as root, sysctl -w user.max_user_namespaces=10000"
        case .clone where isRefused, .ownNamespaces where isRefused, .userMap, .rootMount:
            return geteuid() == 0
                ? "namespaces are refused, as in most containers: run the container with --cap-add SYS_ADMIN "
                    + "--security-opt seccomp=unconfined --security-opt apparmor=unconfined, or run outside of one"
                : "user namespaces are refused: as root, sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 "
                    + "(Ubuntu) or kernel.unprivileged_userns_clone=1 (Debian), or start taibai as root"
        case .mountProc:
            return
                "a new /proc is refused where the old one is partly hidden, as in containers: run the container with "
                + "--security-opt systempaths=unconfined"
        case .landlock where error.errno == EOPNOTSUPP:
            return "Landlock is switched off: add landlock to the kernel's lsm= parameter and boot again"
        case .landlock where error.errno == ENOSYS:
            return "the kernel has no Landlock: use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK"
        case .seccomp: return "the kernel needs CONFIG_SECCOMP_FILTER"
        case .group: return "the control groups can't be written: start with systemd-run --scope -p Delegate=yes"
        case .package:
            return
                "the data folder can't be entered by workers: choose one with --data whose parents others may enter, "
                + "such as /var/lib/taibai"
        default: return "see the step above in the kernel's log; Linux 5.14 or newer is needed"
        }
    }
}
