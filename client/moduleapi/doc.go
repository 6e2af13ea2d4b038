// Package moduleapi asks the gateway what a module must know of itself, with the module's
// own credentials: all of it where the host reaches no Redis, and else a password that
// Redis does not tell modules.
package moduleapi
