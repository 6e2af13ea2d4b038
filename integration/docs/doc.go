// Package docs runs every command of the documentation that a page does not leave to
// other tests, and holds names and links against what there is. It holds nothing but
// tests. internal/docpage tells what the comments on a page mean.
//
// The shell blocks of a page run in their order in one bash, in an empty home
// directory, with the programs of this project in PATH and a network of their own: a
// loopback interface and nothing else, so that the ports of the text are free. What a
// page wants besides, it says in comments:
//
//	<!-- page: after docs/tutorial.md -->   that page's blocks are run before
//	<!-- page: s3 -->                       an S3 server (MinIO) is at 127.0.0.1:9000
//	<!-- page: checkout -->                 the directory is that of the project
//
// The tests need redis-server, restic, bash with bash-completion, and what `make
// deps build` makes. What is missing is a failure in CI and skips the test
// elsewhere.
package docs
