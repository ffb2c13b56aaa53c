// Whom the server runs as when root starts it, and the data folder it then needs. Root is used to make namespaces and
// control groups, in the launcher; the server, which reads what strangers send, is nobody in particular.

internal import Foundation
internal import Launcher
internal import Model

/// A user and a group without rights of their own.
struct ServiceUser: Equatable {
    let user: uid_t
    let group: gid_t

    /// The account that is taken when it exists.
    static let accountName = "taibai"
    /// The user where there is no account: just below those of the workers, in a range that no system assigns.
    static let numberWithoutAccount: uid_t = 1_899_999_999

    /// - Parameter wanted: the name or number of an account, if the operator named one.
    /// - Returns: nil when this process is not root's and so has nothing to give up.
    static func choose(_ wanted: String?) throws(StartError) -> ServiceUser? {
        guard geteuid() == 0 else {
            guard let wanted else { return nil }
            throw StartError("user \(wanted)", "only root can become another user; leave out --user")
        }
        if let wanted, let number = uid_t(wanted), number > 0 { return ServiceUser(user: number, group: number) }
        let name = wanted ?? accountName
        if let entry = getpwnam(name)?.pointee {
            guard entry.pw_uid != 0 else {
                throw StartError("user \(name)", "is root, whom the server does not serve as; name another one")
            }
            return ServiceUser(user: entry.pw_uid, group: entry.pw_gid)
        }
        guard wanted == nil else {
            throw StartError(
                "user \(name)", "there is no such account; make it (useradd --system \(name)), or leave out --user")
        }
        return ServiceUser(user: numberWithoutAccount, group: numberWithoutAccount)
    }

    /// Becomes this user for good. Call it while the process has one thread.
    func become() throws(StartError) {
        try StartError.wrap("user \(user)") { () throws(LaunchError) in
            try Privileges.drop(user: user, group: group)
        }
    }
}

/// The folder of everything durable, as this process can reach it.
struct DataFolder {
    /// Where a server that gave up root finds its folder, if it may have mounts of its own: permissions above the
    /// folder, such as those of /root, are then not in the way.
    private static let ownPlace = "/run/taibai"

    /// The path to use.
    let path: String
    /// The path as the operator gave it.
    let given: String
    var packages: String { path + "/packages" }

    /// Makes the folder and, for a server that will give up root, gives it to `owner`.
    static func prepare(_ path: String, owner: ServiceUser?) throws(StartError) -> DataFolder {
        for folder in [path, path + "/packages"] {
            do {
                // What lies above is made as any folder is.
                // NSString's deletingLastPathComponent traps on a relative path of one letter.
                let parent = URL(fileURLWithPath: folder).deletingLastPathComponent().path
                try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            } catch {
                throw StartError("data folder \(path)", "can't be made: \(error.localizedDescription)")
            }
        }
        guard let owner else { return DataFolder(path: path, given: path) }
        try giveAway(path, to: owner)
        // Workers of level guarded, which are users of their own but in the server's group, have to get to their code.
        for folder in [path, path + "/packages"] where chmod(folder, 0o710) != 0 {
            throw StartError("data folder \(path)", "chmod: \(String(cString: strerror(errno)))")
        }
        do throws(LaunchError) {
            try Privileges.bind(path, at: ownPlace)
            return DataFolder(path: ownPlace, given: path)
        } catch {
            // Without the privilege for mounts the path itself must do; the store says so if it does not.
            guard [EPERM, EACCES, EROFS].contains(error.errno) else { throw StartError("data folder \(path)", error) }
            try checkReachable(path)
            return DataFolder(path: path, given: path)
        }
    }

    /// Does `body`; its errors name the folder as the operator did, not by the place where this process sees it.
    func inGivenWords<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as StartError {
            throw StartError(
                error.step.replacing(path + "/", with: given + "/"),
                error.reason.replacing(path + "/", with: given + "/"))
        }
    }

    /// Files that an earlier server left as root's, or as another user's, become the owner's.
    private static func giveAway(_ path: String, to owner: ServiceUser) throws(StartError) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_uid != owner.user || isRoots(path + "/lock") else { return }
        var paths = [path]
        if let inside = FileManager.default.enumerator(atPath: path) {
            for case let name as String in inside { paths.append(path + "/" + name) }
        }
        for entry in paths where lchown(entry, owner.user, owner.group) != 0 {
            throw StartError(
                "data folder \(path)",
                "can't be given to user \(owner.user): \(entry): \(String(cString: strerror(errno)))")
        }
    }

    /// Without a mount of its own, the server and its workers have to come to the folder as anybody does.
    private static func checkReachable(_ path: String) throws(StartError) {
        var folder = URL(fileURLWithPath: path).standardizedFileURL.deletingLastPathComponent()
        while folder.path != "/" {
            var status = stat()
            if stat(folder.path, &status) == 0, status.st_mode & 0o001 == 0 {
                throw StartError(
                    "data folder \(path)",
                    "\(folder.path) is closed to others than its owner, and this process, which serves as another user "
                        + "than root, may make no mount of its own; run chmod o+x \(folder.path), or choose a folder "
                        + "such as /var/lib/taibai with --data")
            }
            folder = folder.deletingLastPathComponent()
        }
    }

    private static func isRoots(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_uid == 0
    }
}
