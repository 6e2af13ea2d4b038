// Package notify implements "gatewayctl notify", which tells people about the state of the
// backups.
//
// A pass compares the present state with what was reported last, according to a file of the
// node. New failures and recoveries go out at once, in one message. A condition that keeps
// changing is reported once, until it is stable. A digest goes out when it is due. Messages
// wait in the outbox until each channel has accepted them. A pass that is killed or
// repeated reports nothing twice.
//
// "gatewayctl scheduler" or a timer of systemd runs a pass each minute, and each run of a
// schedule runs one at its end.
package notify
