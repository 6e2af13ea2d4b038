// Package compose drives Dockerfile and compose.yaml, unchanged, with a Docker Engine
// and a Compose of the tests' own. It holds nothing but tests.
//
// The engine is the package docker.io, started in a network namespace of its own, so
// that it meets no other engine's bridges, rules and ports, with its files below
// .cache/compose. Root is needed for that. No registry is asked: the images that the
// two files name are made from this machine's programs, see images_test.go.
//
// Compose is docker-compose of PATH (package docker-compose, 1.29), or what
// DOCKER_COMPOSE names, such as Compose 2. What is missing is a failure in CI (CI is
// not empty) and skips the tests elsewhere.
package compose
