"""One table of addresses; each face brings its own."""

from django.urls import include, path, re_path
from django.views.i18n import set_language

from tollkeeper.web import brand, checkout, contact, dev_mail, errors, health, status, storefront
from tollkeeper.web.console import (
    calls,
    invoicing,
    key_rules,
    key_test,
    keys,
    orders,
    overview,
    plan,
    privacy,
    relays,
    restriction,
    settings,
    support,
    usage,
    webhooks,
)
from tollkeeper.web.desk import coupons, customers, deliveries, jobs, tickets, today
from tollkeeper.web.desk import money as desk_money
from tollkeeper.web.desk import orders as desk_orders
from tollkeeper.web.desk import relays as desk_relays
from tollkeeper.web.desk import units as desk_units

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.broken

urlpatterns = [
    # for everybody
    path("", storefront.home, name="home"),
    path("plans/", storefront.plans, name="plans"),
    path("", include("tollkeeper.web.docs")),
    path("", include("tollkeeper.web.policy")),
    path("", include("tollkeeper.web.rights")),
    path("", include("tollkeeper.web.closing")),
    path("", include("tollkeeper.web.transparency")),
    path("", include("tollkeeper.web.trust")),
    path("accounts/", include("allauth.urls")),
    path("contact/", contact.contact, name="contact"),
    path("contact/<str:number>/<str:secret>/", contact.letter, name="letter"),
    path("contact/<str:number>/<str:secret>/files/<int:file_id>/", contact.letter_file, name="letter_file"),
    path("imprint/", contact.imprint, name="imprint"),
    path("status/", status.status, name="status"),
    path("language/", set_language, name="set_language"),
    path("brand.css", brand.brand_css, name="brand_css"),
    path("healthz", health.healthz, name="healthz"),
    path("hooks/", include("tollkeeper.web.hooks")),
    path("dev/mail/", dev_mail.mailbox, name="dev_mail"),
    path("dev/mail/<str:name>/", dev_mail.mailbox, name="dev_mail_one"),
    path("dev/mail/<str:name>/html/", dev_mail.mail_html, name="dev_mail_html"),
    # buying
    path("buy/<slug:plan>/<slug:price>/", checkout.checkout, name="checkout"),
    path("checkout/<str:number>/return", checkout.checkout_return, name="checkout_return"),
    path("checkout/<str:number>/cancelled", checkout.checkout_cancelled, name="checkout_cancelled"),
    path("checkout/<str:number>/state", checkout.checkout_state, name="checkout_state"),
    path("checkout/<str:number>/pay", checkout.pay_again, name="checkout_pay"),
    path("checkout/<str:number>/transfer", checkout.pay_by_transfer, name="checkout_transfer"),
    path("checkout/<str:number>/cancel", checkout.cancel, name="checkout_cancel"),
    # customers
    path("console/", overview.overview, name="console"),
    path("console/latest/", overview.latest_calls, name="console_latest"),
    path("console/first/", overview.first_call, name="console_first"),
    path("console/keys/", keys.key_list, name="console_keys"),
    path("console/keys/new/", keys.key_new, name="console_key_new"),
    path("console/keys/<int:key_id>/", key_rules.key_rules, name="console_key_rules"),
    path("console/keys/<int:key_id>/revoke/", keys.key_revoke, name="console_key_revoke"),
    path("console/keys/<int:key_id>/replace/", keys.key_replace, name="console_key_replace"),
    path("console/keys/test/", key_test.key_test, name="console_key_test"),
    path("console/keys/relays/", relays.relay_keys, name="console_relays"),
    path("console/keys/relays/<int:delivery_id>/look/", relays.look, name="console_relay_look"),
    path("console/keys/delivered/<int:delivery_id>/", keys.key_reveal, name="console_key_reveal"),
    path("console/usage/", usage.usage_page, name="console_usage"),
    path("console/calls/", calls.call_log, name="console_calls"),
    path("console/redeem/", orders.redeem, name="console_redeem"),
    path("console/orders/", orders.order_list, name="console_orders"),
    path("console/orders/<str:number>/", orders.order_page, name="console_order"),
    path("console/orders/<str:number>/give-back/", orders.give_back, name="console_give_back"),
    path("console/orders/<str:number>/documents/<str:label>/", orders.receipt, name="console_receipt"),
    path(
        "console/orders/<str:number>/documents/<str:label>/pdf/",
        invoicing.document_pdf,
        name="console_document_pdf",
    ),
    path("console/plans/<str:number>/", plan.plan_page, name="console_plan"),
    path("console/plans/<str:number>/cancel/", plan.plan_cancel, name="console_plan_cancel"),
    path("console/plans/<str:number>/keep/", plan.plan_keep, name="console_plan_keep"),
    path("console/plans/<str:number>/pause/", plan.plan_pause, name="console_plan_pause"),
    path("console/plans/<str:number>/overage/", plan.plan_overage, name="console_plan_overage"),
    path("console/plans/<str:number>/payment/", plan.plan_payment, name="console_plan_payment"),
    path(
        "console/plans/<str:number>/change/<slug:plan>/<slug:price>/",
        plan.plan_switch,
        name="console_plan_switch",
    ),
    path("console/webhooks/", webhooks.webhook_list, name="console_webhooks"),
    path("console/webhooks/<str:number>/", webhooks.webhook, name="console_webhook"),
    path("console/support/", support.ticket_list, name="console_support"),
    path("console/support/new/", support.ticket_new, name="console_ticket_new"),
    path("console/support/<str:number>/", support.ticket, name="console_ticket"),
    path(
        "console/support/<str:number>/files/<int:file_id>/", support.ticket_file, name="console_ticket_file"
    ),
    path("console/settings/", settings.profile, name="console_settings"),
    path("console/settings/invoices/", invoicing.buyer, name="console_buyer"),
    path("console/privacy/", privacy.centre, name="console_privacy"),
    path("console/privacy/copy/", privacy.copy, name="console_privacy_copy"),
    path("console/privacy/copies/", privacy.copy_rows, name="console_privacy_copies"),
    path("console/privacy/copies/<str:number>/", privacy.copy_fetch, name="console_privacy_fetch"),
    path("console/privacy/restrict/", restriction.restrict, name="console_privacy_restrict"),
    # operators
    path("", include("tollkeeper.web.desk.backups")),
    path("", include("tollkeeper.web.desk.factor")),
    path("", include("tollkeeper.web.desk.promises")),
    path("", include("tollkeeper.web.desk.restriction")),
    path("", include("tollkeeper.web.desk.authorities")),
    path("", include("tollkeeper.web.desk.holds")),
    path("desk/", today.today, name="desk"),
    path("desk/orders/", desk_orders.order_list, name="desk_orders"),
    path("desk/orders/<str:number>/", desk_orders.order_page, name="desk_order"),
    path("desk/orders/<str:number>/ask/", desk_orders.order_ask, name="desk_order_ask"),
    path("desk/orders/<str:number>/clear/", desk_orders.order_clear, name="desk_order_clear"),
    path("desk/orders/<str:number>/refund/", desk_orders.order_refund, name="desk_order_refund"),
    path("desk/orders/<str:number>/unspent/", desk_orders.order_unspent, name="desk_order_unspent"),
    path("desk/orders/<str:number>/transfer/", desk_money.transfer_seen, name="desk_order_transfer"),
    path("desk/money/", desk_money.money_page, name="desk_money"),
    path("desk/money/statement/", desk_money.statement, name="desk_statement"),
    path("desk/money/journal.csv", desk_money.journal, name="desk_journal"),
    path("desk/money/transfers/<int:transfer_id>/", desk_money.assign, name="desk_transfer_assign"),
    path("desk/money/refunds/<uuid:refund_id>/", desk_money.refund_sent, name="desk_refund_sent"),
    path("desk/disputes/<int:dispute_id>/evidence/", desk_money.evidence, name="desk_evidence"),
    path("desk/disputes/<int:dispute_id>/send/", desk_money.hand_in, name="desk_hand_in"),
    path("desk/coupons/", coupons.coupon_list, name="desk_coupons"),
    path("desk/coupons/codes/", coupons.code_batch, name="desk_codes"),
    path("desk/coupons/<int:coupon_id>/cancel/", coupons.coupon_cancel, name="desk_coupon_cancel"),
    path("desk/webhooks/", webhooks.desk_webhook_list, name="desk_webhooks"),
    path("desk/webhooks/<str:number>/", webhooks.desk_webhook, name="desk_webhook"),
    path("desk/deliveries/", deliveries.delivery_list, name="desk_deliveries"),
    path("desk/customers/<str:public_id>/units/", desk_units.customer_units, name="desk_customer_units"),
    path("desk/relays/", desk_relays.relay_list, name="desk_relays"),
    re_path(
        r"^desk/relays/(?P<name>[a-z0-9-]+)/(?P<deed>look|stop|start)/$",
        desk_relays.relay_do,
        name="desk_relay",
    ),
    re_path(
        r"^desk/relays/keys/(?P<delivery_id>\d+)/(?P<deed>look|align)/$",
        desk_relays.key_do,
        name="desk_relay_key",
    ),
    re_path(
        r"^desk/plans/(?P<plan>[a-z0-9-]+)/(?P<deed>withhold|offer)/$", desk_relays.plan_do, name="desk_plan"
    ),
    path("desk/customers/", customers.customer_list, name="desk_customers"),
    path("desk/customers/<str:public_id>/", customers.customer_page, name="desk_customer"),
    path("desk/tickets/", tickets.ticket_list, name="desk_tickets"),
    path("desk/tickets/<str:number>/", tickets.ticket, name="desk_ticket"),
    path("desk/tickets/<str:number>/close/", tickets.ticket_close, name="desk_ticket_close"),
    path("desk/tickets/<str:number>/files/<int:file_id>/", tickets.ticket_file, name="desk_ticket_file"),
    path("desk/jobs/", jobs.job_list, name="desk_jobs"),
    path("desk/jobs/<int:job_id>/retry/", jobs.job_retry, name="desk_job_retry"),
    path("desk/jobs/<int:job_id>/cancel/", jobs.job_cancel, name="desk_job_cancel"),
]
