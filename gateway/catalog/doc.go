// Package catalog reads users, modules, destinations and nodes from Redis. The keys are
// those of NethServer 8.
package catalog
