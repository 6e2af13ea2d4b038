// Package docs runs every command of the documentation that a page does not leave to
// other tests, sees that these know of it, and holds names and links against what there
// is, also in the reference. It holds nothing but tests. internal/docpage says what the
// comments on a page mean.
//
// The shell blocks of a page run in their order in one bash, in an empty home
// directory, with the programs of this project in PATH and a network of their own: a
// loopback interface and nothing else, so that the ports of the text are free. What a
// page wants besides, it says in comments:
//
//	<!-- page: after docs/how-to/by-hand.md -->   that page's blocks are run before
//	<!-- page: NAME -->                     testdata/surroundings/NAME.sh is run before,
//	                                        and NAME.after.sh behind the page, if there
//
// The examples of the reference, which --help shows too, are run as they stand there, each
// on a machine of its own: see examples_test.go.
//
// The names of servers that pages use lead to servers that run in that network, with
// certificates that the page's programs trust: see world_test.go.
//
// Cloned from its address, the project is as it is in this directory. sudo runs what it
// is given; apt-get installs in CI only, and elsewhere says what it would do.
//
// The tests need redis-server, prometheus-node-exporter, restic, jq, gpg, bash with
// bash-completion, zsh, fish, postgresql, docker.io, and what `make deps build` makes; a gateway with the
// curated backends alone lacks one that is documented. What is missing is a failure in
// CI and skips the test elsewhere.
package docs
