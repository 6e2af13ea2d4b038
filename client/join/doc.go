// Package join prepares a host without Redis for a module's backups. It gets the module's
// settings from a file that an administrator copies, or from the gateway in exchange for a
// pairing code, and installs them.
package join
