// Package inventory finds what a destination holds: the repositories of modules, with
// their manifests and the names of their snapshots, and what is neither. It asks the
// gateway alone, needs no password of a repository, and keeps nothing.
package inventory
