// AutoscalerTests
