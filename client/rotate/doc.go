// Package rotate is the command repository password rotate, which gives the repositories
// of a destination a new password.
//
// All of them have one, which lies in Redis for whoever backs up. A rotation adds a key for
// the new password to each repository, opens each with it, changes Redis, and removes the
// keys of the old one. Until then both open them all: whoever has read the old one goes on.
// Each step finds out what was done already, and Redis holds both passwords from the
// beginning to the end, so that a rotation that was killed is finished by the next.
package rotate
