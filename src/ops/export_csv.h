/* Debates as tables of CSV, of the debate object that view_debate makes. Pure; any thread. */
#ifndef ARAGORA_OPS_EXPORT_CSV_H
#define ARAGORA_OPS_EXPORT_CSV_H

#include "base/json.h"
#include "ops/export_query.h"

/* The line of names. `alone`: of one debate, whose id is then not in each line. */
void export_csv_head(struct buffer *out, enum export_table table, bool alone);
/* The debate's lines. A summary reads nothing of the object that a row of a list has not, but
 * `final_answer`; that of one debate alone is a line a field and needs the whole. */
void export_csv_debate(struct buffer *out, enum export_table table, bool alone,
                       const json_t *debate);

#endif
