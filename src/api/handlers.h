/* The handlers, by resource; what each answers stands in its file. `app` is struct api. Those of
 * routes with `pool` may block. */
#ifndef ARAGORA_API_HANDLERS_H
#define ARAGORA_API_HANDLERS_H

#include "http/server.h"

/* debate_create.c */
void handle_debate_create(struct http_request *request, void *app);
void handle_debate_create_deprecated(struct http_request *request, void *app);
/* debates.c; pool */
void handle_debates_list(struct http_request *request, void *app);
/* debate.c; pool */
void handle_debate_show(struct http_request *request, void *app);
void handle_debate_messages(struct http_request *request, void *app);
void handle_debate_convergence(struct http_request *request, void *app);
void handle_debate_impasse(struct http_request *request, void *app);
void handle_debate_summary(struct http_request *request, void *app);
void handle_debate_followups(struct http_request *request, void *app);
void handle_debate_cancel(struct http_request *request, void *app);
/* debate_events.c; pool */
void handle_debate_events(struct http_request *request, void *app);
/* admin_users.c */
void handle_admin_users_list(struct http_request *request, void *app);
void handle_admin_user_show(struct http_request *request, void *app);
void handle_admin_user_change(struct http_request *request, void *app);
void handle_admin_user_logout(struct http_request *request, void *app);
void handle_admin_user_keys(struct http_request *request, void *app);
/* auth_entry.c, auth_sessions.c, auth_me.c */
void handle_auth_register(struct http_request *request, void *app);
void handle_auth_setup(struct http_request *request, void *app);
void handle_auth_login(struct http_request *request, void *app);
void handle_auth_refresh(struct http_request *request, void *app);
void handle_auth_logout(struct http_request *request, void *app);
void handle_auth_logout_all(struct http_request *request, void *app);
void handle_auth_revoke(struct http_request *request, void *app);
void handle_auth_me(struct http_request *request, void *app);
void handle_auth_me_update(struct http_request *request, void *app);
void handle_auth_password(struct http_request *request, void *app);
void handle_auth_stats(struct http_request *request, void *app);
/* batch.c; pool */
void handle_batch_create(struct http_request *request, void *app);
void handle_batch_list(struct http_request *request, void *app);
void handle_batch_show(struct http_request *request, void *app);
void handle_batch_cancel(struct http_request *request, void *app);
void handle_queue_status(struct http_request *request, void *app);
/* lineage.c; pool */
void handle_debate_fork(struct http_request *request, void *app);
void handle_debate_followup(struct http_request *request, void *app);
void handle_debate_forks(struct http_request *request, void *app);
/* search.c; pool */
void handle_search(struct http_request *request, void *app);
void handle_analytics(struct http_request *request, void *app);
/* deletion.c; pool */
void handle_debate_delete(struct http_request *request, void *app);
/* shares.c; pool */
void handle_share_show(struct http_request *request, void *app);
void handle_share_create(struct http_request *request, void *app);
void handle_share_revoke(struct http_request *request, void *app);
/* exports.c; pool */
void handle_debates_export(struct http_request *request, void *app);
void handle_debate_export(struct http_request *request, void *app);
/* replays.c; pool */
void handle_replays_list(struct http_request *request, void *app);
void handle_replay_show(struct http_request *request, void *app);
void handle_replay_export(struct http_request *request, void *app);
void handle_replay_page(struct http_request *request, void *app);
/* audit.c; pool */
void handle_audit_list(struct http_request *request, void *app);
void handle_audit_export(struct http_request *request, void *app);
/* agents.c */
void handle_agents_list(struct http_request *request, void *app);
/* breakers.c */
void handle_agents_health(struct http_request *request, void *app);
void handle_breakers_list(struct http_request *request, void *app);
void handle_breakers_system(struct http_request *request, void *app);
void handle_breaker_reset(struct http_request *request, void *app);
/* budgets.c */
void handle_budgets_show(struct http_request *request, void *app);
/* keys.c; pool */
void handle_keys_list(struct http_request *request, void *app);
void handle_key_create(struct http_request *request, void *app);
void handle_key_show(struct http_request *request, void *app);
void handle_key_edit(struct http_request *request, void *app);
void handle_key_revoke(struct http_request *request, void *app);
void handle_key_revoke_any(struct http_request *request, void *app);
void handle_key_rotate(struct http_request *request, void *app);
void handle_key_create_default(struct http_request *request, void *app);
void handle_key_revoke_default(struct http_request *request, void *app);
/* usage.c; pool, but for the plans */
void handle_usage_show(struct http_request *request, void *app);
void handle_usage_export(struct http_request *request, void *app);
void handle_plans_list(struct http_request *request, void *app);
/* config.c */
void handle_config_show(struct http_request *request, void *app);
/* health.c */
void handle_health_show(struct http_request *request, void *app);
void handle_health_alive(struct http_request *request, void *app);
void handle_health_ready(struct http_request *request, void *app);
/* limits.c */
void handle_limits_show(struct http_request *request, void *app);
/* health_deep.c; pool */
void handle_health_deep(struct http_request *request, void *app);
void handle_health_detailed(struct http_request *request, void *app);
/* system.c */
void handle_system_errors(struct http_request *request, void *app);
void handle_system_memory(struct http_request *request, void *app);
/* maintenance.c; pool */
void handle_maintenance_show(struct http_request *request, void *app);
void handle_maintenance_run(struct http_request *request, void *app);
/* leaderboard.c */
void handle_leaderboard(struct http_request *request, void *app);
/* ratings.c; pool */
void handle_agent_profile(struct http_request *request, void *app);
void handle_agent_history(struct http_request *request, void *app);
void handle_agent_rivals(struct http_request *request, void *app);
void handle_agent_allies(struct http_request *request, void *app);
void handle_agent_head_to_head(struct http_request *request, void *app);
void handle_agents_compare(struct http_request *request, void *app);
void handle_matches_recent(struct http_request *request, void *app);
/* metrics_page.c */
void handle_metrics_show(struct http_request *request, void *app);
/* openapi.c */
void handle_openapi_show(struct http_request *request, void *app);
void handle_openapi_yaml(struct http_request *request, void *app);
/* root.c */
void handle_root_show(struct http_request *request, void *app);
/* ws_stats.c */
void handle_ws_stats(struct http_request *request, void *app);
void handle_ws_ticket(struct http_request *request, void *app);
void handle_system_debates(struct http_request *request, void *app);
void handle_system_cancel(struct http_request *request, void *app);

#endif
