// Package integration tests the whole: the gateway, from real clients to real
// servers. It holds nothing but tests.
//
// What the files need:
//
//   - redis-server (package redis-server or redis), all of them;
//   - restic in two versions and rclone, the gateway_restic tests and whatever
//     stores to S3, which is `rclone serve s3`;
//   - the gateway's own binary, the gateway_process tests and some of the storage
//     tests. All others run the gateway within the test, so that the race detector
//     sees it;
//   - the servers that docs/storage.md names, the storage tests;
//   - prometheus and promtool, the gateway_metrics tests.
//
// `make deps build` provides them, and `make test` names them in the environment
// (RCLONE_GATEWAY, RCLONE, RESTIC_0_14, RESTIC_0_18); otherwise they are looked
// for where make puts them. What is missing is a failure in CI (CI is not empty)
// and skips the test elsewhere.
package integration
