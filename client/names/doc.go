// Package names finds destinations, schedules and modules by the words that people
// use for them, and completes those words in a shell. It reads Redis and changes
// nothing.
package names
