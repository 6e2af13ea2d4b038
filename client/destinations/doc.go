// Package destinations holds the commands for backup destinations, for people and as
// NethServer 8's actions. What is true of destinations without Redis is in destination.
package destinations
