// Package moduleapi asks the gateway what a module must know about itself, with the
// module's own credentials. Hosts without Redis get everything that way, others only
// passwords that Redis does not show to modules.
package moduleapi
