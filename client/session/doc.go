// Package session guards a module and its repository while restic works on them: the
// locks in the state directory, the notes of runs, the locks that killed runs have left
// in the repository, and the module's environment during a restore.
package session
