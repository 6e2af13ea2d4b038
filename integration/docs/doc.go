// Package docs runs every command of the documentation. It holds nothing but tests.
//
// The shell blocks of a page (```sh) run in their order in one bash, in an empty
// home directory, with the programs of this project in PATH and a network of their
// own: a loopback interface and nothing else, so that the ports of the text are
// free. A comment before a block changes that:
//
//	<!-- run: background until COMMAND -->   it goes on while the next ones run, which
//	                                         wait until COMMAND succeeds
//	<!-- run: not, REASON -->                it is not run; names of commands and
//	                                         options in it are checked all the same
//	<!-- run: fails -->                      it ends with an error, and says why
//
// and one anywhere on the page changes the page's surroundings:
//
//	<!-- page: after docs/tutorial.md -->   that page's blocks are run before
//	<!-- page: s3 -->                       an S3 server (MinIO) is at 127.0.0.1:9000
//	<!-- page: checkout -->                 the directory is that of the project
//
// A block of ```text behind a shell block is what that one prints on stdout; … in
// it stands for anything.
//
// The tests need redis-server, restic, bash with bash-completion, and what `make
// deps build` makes. What is missing is a failure in CI and skips the test
// elsewhere.
package docs
