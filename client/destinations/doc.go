// Package destinations holds the commands for backup destinations, both for people and as
// NethServer 8's actions. Rules that need no Redis are in package destination.
package destinations
