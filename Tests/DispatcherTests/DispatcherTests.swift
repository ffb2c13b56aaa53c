// DispatcherTests
