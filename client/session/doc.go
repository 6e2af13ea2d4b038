// Package session protects a module and its repository while restic works on them: with
// locks in the state directory, notes of runs, the removal of locks that killed runs left
// in the repository, and a copy of the module's environment during a restore.
package session
