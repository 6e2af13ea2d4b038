// Package names resolves the words by which people name destinations, schedules and
// modules, and completes them in a shell. It only reads Redis.
package names
