// Package rotate implements repository password rotate, which changes the password of all
// repositories of a destination, or of a module.
//
// A rotation adds a key for the new password to each repository, opens each with it,
// changes the password in Redis, and removes the keys of the old password. In between both
// passwords open all repositories, so running backups continue. Each step checks what has
// been done already, and Redis holds both passwords throughout, so that the next rotation
// completes one that was killed.
package rotate
