/* The checks of `aragora doctor` that are about options, keys, ports and providers; the others are
 * in ops/doctor.h. Each tells what it finds. Main thread; blocks. */
#ifndef ARAGORA_CLI_DOCTOR_H
#define ARAGORA_CLI_DOCTOR_H

#include "base/options.h"
#include "ops/finding.h"
#include "provider/agents.h"

/* "environment": variables that begin with ARAGORA_ and that nothing reads. */
void doctor_check_environment(const struct findings *to);
/* "keys": which are there; files that may not be trusted. Never what they are. False when one of
 * them cannot be read. */
bool doctor_check_keys(const struct options *options, const struct findings *to);
/* "agents": the table, and who would debate. */
void doctor_check_agents(const struct options *options, const struct findings *to);
/* "port": free, or this program's. */
void doctor_check_ports(const struct options *options, const struct findings *to);
/* "provider": every agent of the default panel, and every other that has its key, is looked up. */
void doctor_check_providers(const struct options *options, const struct findings *to);

#endif
