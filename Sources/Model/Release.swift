/// Which Taibai this is. One place, because client, server and documents must agree.
public enum Release {
    /// Semantic versioning over the command line, the HTTP interface, the worker channel and the package format.
    public static let version = "0.1.0"
}
