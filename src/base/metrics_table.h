/* The table of metrics: X(ID, "name", TYPE, "label,label", "help"). TYPE is COUNTER, GAUGE or
 * HISTOGRAM (of answers, buckets 0.1 to 120 s), HISTOGRAM_SHORT (of requests, 1 ms to 10 s) or
 * HISTOGRAM_LONG (of debates, 1 s to 20 min). The names down to CIRCUIT_BREAKER_STATE are the
 * runbook's and never change; two of them lack the customary _total, so they have a twin that has
 * it, and whoever counts one counts both. */
#ifndef ARAGORA_BASE_METRICS_TABLE_H
#define ARAGORA_BASE_METRICS_TABLE_H

#define METRICS_TABLE(X)                                                                          \
  X(DEBATES, "aragora_debates_total", COUNTER, "", "Debates started")                             \
  X(DEBATES_COMPLETED, "aragora_debates_completed", COUNTER, "", "Debates completed")             \
  X(DEBATES_COMPLETED_TOTAL, "aragora_debates_completed_total", COUNTER, "", "Debates completed") \
  X(DEBATES_FAILED, "aragora_debates_failed", COUNTER, "", "Debates failed")                      \
  X(DEBATES_FAILED_TOTAL, "aragora_debates_failed_total", COUNTER, "", "Debates failed")          \
  X(AGENT_RESPONSE, "aragora_agent_response_seconds", HISTOGRAM, "agent",                         \
    "Time from asking an agent to its whole answer or failure")                                   \
  X(TOKENS_USED, "aragora_tokens_used_total", COUNTER, "agent,direction", "Tokens consumed")      \
  X(WS_CONNECTIONS, "aragora_ws_connections_active", GAUGE, "", "Open WebSocket connections")     \
  X(CIRCUIT_BREAKER_STATE, "aragora_circuit_breaker_state", GAUGE, "agent",                       \
    "0 closed, 1 half-open, 2 open")                                                              \
  X(DEBATES_CANCELLED, "aragora_debates_cancelled_total", COUNTER, "", "Debates cancelled")       \
  X(DEBATES_RESUMED, "aragora_debates_resumed_total", COUNTER, "",                                \
    "Unfinished debates that the process took up, not counted in aragora_debates_total")          \
  X(DEBATES_ACTIVE, "aragora_active_debates", GAUGE, "", "Debates running now")                   \
  X(DEBATES_QUEUED, "aragora_queued_debates", GAUGE, "", "Debates waiting for admission")         \
  X(DEBATES_LIMIT, "aragora_max_concurrent_debates", GAUGE, "", "Debates that may run at once")   \
  X(QUEUE_LIMIT, "aragora_max_queued_debates", GAUGE, "", "Debates that may wait for admission")  \
  X(LAST_DEBATE, "aragora_last_debate_timestamp", GAUGE, "",                                      \
    "Unix time at which the last debate ended; 0 = none since the start")                         \
  X(CONSENSUS_REACHED, "aragora_consensus_reached_total", COUNTER, "consensus_type",              \
    "Debates that came to a decision, by the rule")                                               \
  X(DEBATE_DURATION, "aragora_debate_duration_seconds", HISTOGRAM_LONG, "outcome",                \
    "Running time of a debate")                                                                   \
  X(AGENT_CALLS, "aragora_agent_calls_total", COUNTER, "agent,status",                            \
    "Attempts at a provider by how they ended")                                                   \
  X(AGENT_FAILURES, "aragora_agent_failures_total", COUNTER, "agent_type,error_type",             \
    "Attempts at a provider that gave no answer, by why")                                         \
  X(PROVIDER_IN_FLIGHT, "aragora_provider_calls_in_flight", GAUGE, "agent",                       \
    "Calls under way at the agent's service; agents of one service show the same")                \
  X(PROVIDER_ALLOWED, "aragora_provider_calls_allowed", GAUGE, "agent",                           \
    "Calls that pacing allows there at once now")                                                 \
  X(PROVIDER_WAITING, "aragora_provider_waiting_calls", GAUGE, "agent",                           \
    "Calls that pacing makes wait for their turn there")                                          \
  X(AGENT_HEDGES, "aragora_agent_hedges_total", COUNTER, "agent",                                 \
    "Second attempts beside a slow first; among aragora_agent_calls_total too")                   \
  X(BREAKER_OPENINGS, "aragora_circuit_breaker_openings_total", COUNTER, "",                      \
    "Circuit breakers that opened, again after a failed trial included")                          \
  X(BUDGET_TOKENS, "aragora_budget_tokens", GAUGE, "scope,state",                                 \
    "Tokens by account (day, process, or a principal's cap) and state: cap, spent, reserved")     \
  X(BUDGET_USD_MICRO, "aragora_budget_usd_micro", GAUGE, "scope,state",                           \
    "The same in millionths of a dollar")                                                         \
  X(BUDGET_UNPRICED, "aragora_budget_unpriced_calls", GAUGE, "scope",                             \
    "Calls whose cost nobody knows: they are in no sum of money")                                 \
  X(BUDGET_WAITING, "aragora_budget_waiting_calls", GAUGE, "",                                    \
    "Calls that wait for what others have reserved")                                              \
  X(BUDGET_REFUSALS, "aragora_budget_refusals_total", COUNTER, "scope",                           \
    "Calls, and debates before their first, that a budget refused")                               \
  X(BUDGET_OVERSHOOTS, "aragora_budget_overshoots_total", COUNTER, "",                            \
    "Calls that were billed more than was reserved for them")                                     \
  X(BREAKERS_OPEN, "aragora_circuit_breakers_open", GAUGE, "", "Agents whose breaker is open")    \
  X(SSE_STREAMS, "aragora_sse_streams_active", GAUGE, "", "Open event streams")                   \
  X(STREAM_OVERFLOWS, "aragora_stream_overflows_total", COUNTER, "",                              \
    "Subscribers that fell behind and were told where to resume")                                 \
  X(WS_MESSAGES, "aragora_websocket_messages_total", COUNTER, "direction", "WebSocket messages")  \
  X(HTTP_REQUESTS, "aragora_http_requests_total", COUNTER, "method,endpoint,status",              \
    "HTTP requests")                                                                              \
  X(HTTP_DURATION, "aragora_http_request_duration_seconds", HISTOGRAM_SHORT, "method,endpoint",   \
    "Time from a request's head to its response")                                                 \
  X(RATE_LIMIT_HITS, "aragora_rate_limit_hits_total", COUNTER, "endpoint,limit_type",             \
    "Refused by a limit on callers; limit_type: address, token, websocket, websocket_messages")   \
  X(EXPORTS_ACTIVE, "aragora_exports_active", GAUGE, "", "Exports under way")                     \
  X(EXPORTS, "aragora_exports_total", COUNTER, "format,outcome",                                  \
    "Exports by how they ended: complete, cut (the client left, or the server stopped), failed")  \
  X(REPLAYS, "aragora_replays_total", COUNTER, "outcome",                                         \
    "Replay files of debates by what was done: written, removed, failed")                         \
  X(AGENT_ELO, "aragora_agent_elo_rating", GAUGE, "agent",                                        \
    "ELO of an agent's model over all domains, in whole points")                                  \
  X(RATED_DEBATES, "aragora_rated_debates_total", COUNTER, "", "Debates that changed ratings")    \
  X(UNRATED_DEBATES, "aragora_unrated_debates_total", COUNTER, "reason",                          \
    "Debates that ended and changed none, by reason")                                             \
  X(STORE_COMMITS, "aragora_store_commits_total", COUNTER, "", "Transactions of the writer")      \
  X(STORE_EVENTS, "aragora_store_events_total", COUNTER, "", "Events appended to logs")           \
  X(STORE_COMMIT_DURATION, "aragora_store_commit_seconds", HISTOGRAM_SHORT, "",                   \
    "Time of a transaction of the writer that went through, its sync included")                   \
  X(STORE_QUEUED, "aragora_store_queue_bytes", GAUGE, "",                                         \
    "Bytes that wait for the writer, or are being written")                                       \
  X(STORE_WRITABLE, "aragora_store_writable", GAUGE, "",                                          \
    "0 while the last transaction was refused: full, read-only or locked")                        \
  X(DATABASE_BYTES, "aragora_database_bytes", GAUGE, "database", "Size of a database's file")     \
  X(DATABASE_WAL, "aragora_database_wal_bytes", GAUGE, "database", "Size of its write-ahead log") \
  X(DISK_FREE, "aragora_disk_free_bytes", GAUGE, "place",                                         \
    "Free for the server on the file system of the databases, the archive, the log")              \
  X(DISK_SIZE, "aragora_disk_size_bytes", GAUGE, "place", "Size of that file system")             \
  X(DISK_AGE, "aragora_disk_figures_age_seconds", GAUGE, "",                                      \
    "Since files and disks were looked at; it grows while a disk does not answer")                \
  X(POOL_THREADS, "aragora_pool_threads", GAUGE, "", "Most threads for handlers that block")      \
  X(POOL_BUSY, "aragora_pool_busy_threads", GAUGE, "", "Of these, those at work")                 \
  X(POOL_WAITING, "aragora_pool_waiting_jobs", GAUGE, "", "Jobs that wait for such a thread")     \
  X(MEMORY, "aragora_memory_bytes", GAUGE, "subsystem",                                           \
    "Memory by what holds it; resident and anonymous are the process's, the others parts")        \
  X(LOG_LINES, "aragora_log_lines_total", COUNTER, "level", "Lines of the log")                   \
  X(STORE_ERRORS, "aragora_store_errors_total", COUNTER, "", "Appends that failed and were held") \
  X(PASSWORD_HASHES, "aragora_password_hashes_total", COUNTER, "",                                \
    "Hashes of passwords computed, those of tries at unknown accounts included")                  \
  X(AUDIT_ROWS, "aragora_audit_rows_total", COUNTER, "action,outcome",                            \
    "Rows written to the audit log")                                                              \
  X(AUDIT_HEAD, "aragora_audit_head_seq", GAUGE, "",                                              \
    "Number of the last row of the audit log; it never goes down")                                \
  X(AUDIT_REPEATS, "aragora_audit_repeats_total", COUNTER, "action,outcome",                      \
    "Acts that were only counted, as one like them was written less than a minute before")        \
  X(AUDIT_LOST, "aragora_audit_lost_total", COUNTER, "",                                          \
    "Acts that could not be put into the audit log; they are in the log as errors")               \
  X(AUDIT_BREAKS, "aragora_audit_breaks_total", COUNTER, "",                                      \
    "Times that the audit log was found changed while a row was written")                         \
  X(ARCHIVE_COMMITS, "aragora_archive_commits_total", COUNTER, "", "Commits archived")            \
  X(ARCHIVE_BYTES, "aragora_archive_bytes_total", COUNTER, "", "Bytes archived")                  \
  X(ARCHIVE_CHAINS, "aragora_archive_chains_total", COUNTER, "",                                  \
    "Chains that began: each wants a new base backup")                                            \
  X(ARCHIVE_FAILURES, "aragora_archive_failures_total", COUNTER, "",                              \
    "Writes and syncs of the archive that failed")                                                \
  X(ARCHIVE_FAILING, "aragora_archive_failing", GAUGE, "",                                        \
    "1 while commits are not archived because the archive cannot be written")                     \
  X(ARCHIVE_SYNCED, "aragora_archive_synced_timestamp_seconds", GAUGE, "",                        \
    "Unix time of the last commit that is on disk in the archive")                                \
  X(ARCHIVE_SHIPPED, "aragora_archive_shipped_segments_total", COUNTER, "",                       \
    "Segments of the archive sent to the place of backups")                                       \
  X(ARCHIVE_SHIPPED_BYTES, "aragora_archive_shipped_bytes_total", COUNTER, "",                    \
    "Bytes of these segments, compressed")                                                        \
  X(ARCHIVE_WAITING, "aragora_archive_waiting_segments", GAUGE, "",                               \
    "Sealed segments of the archive that are not in the place of backups yet")                    \
  X(ARCHIVE_SHIP_FAILURES, "aragora_archive_ship_failures_total", COUNTER, "",                    \
    "Times that the archive could not be sent to the place of backups")                           \
  X(ARCHIVE_SHIP_FAILING, "aragora_archive_ship_failing", GAUGE, "",                              \
    "1 while the archive cannot be sent to the place of backups; it is tried again")              \
  X(BACKUP_LAST_SUCCESS, "aragora_backup_last_success_timestamp_seconds", GAUGE, "",              \
    "Unix time that the last scheduled backup shows; 0 = none is known")                          \
  X(BACKUP_FAILURES, "aragora_backup_failures_total", COUNTER, "",                                \
    "Scheduled backups that failed, or whose place did not answer")                               \
  X(BACKUPS, "aragora_backups_total", COUNTER, "kind", "Scheduled backups that were made")        \
  X(BACKUP_DURATION, "aragora_backup_duration_seconds", HISTOGRAM, "",                            \
    "Time to make a backup and to read it back")                                                  \
  X(BACKUP_BYTES, "aragora_backup_bytes", GAUGE, "state",                                         \
    "Bytes of the last backup: raw, and stored (compressed)")                                     \
  X(CHECKPOINTS, "aragora_checkpoints_total", COUNTER, "",                                        \
    "Checkpoints of a write-ahead log on schedule; the writer's own are not counted")             \
  X(INFO, "aragora_info", GAUGE, "version", "Always 1; the version is the label")

#endif
