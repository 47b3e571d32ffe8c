/* iopool.c - a FIFO of jobs under one mutex, and a few threads that take from it.
 *
 * A lock, not a mailbox: a job costs microseconds at the least, the lock 40 ns, and several threads
 * take. n_busy and `idle` exist for iopool_settle, which the end of a process needs to know that no
 * done() is still to come. */
#include "common/net/iopool.h"
#include <pthread.h>

struct iopool {
	pthread_mutex_t lock;
	pthread_cond_t work, idle;
	struct job *first, **last;
	int n_threads, n_busy;
	bool stop;
	pthread_t threads[];
};

static void *thread_main(void *arg);
static void run(struct job *);
static void job_done(struct mail *);

enum err iopool_new(int n_threads, struct iopool **out)
{
	ASSERT(n_threads > 0);
	struct iopool *p = mem_alloc(sizeof(*p) + (size_t)n_threads * sizeof(pthread_t));
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->idle, NULL);
	p->last = &p->first;
	for (; p->n_threads < n_threads; p->n_threads++) {
		int code = pthread_create(&p->threads[p->n_threads], NULL, thread_main, p);
		if (code) {
			iopool_free(p);
			return err_of_errno(code);
		}
	}
	*out = p;
	return ERR_OK;
}

void iopool_free(struct iopool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	ASSERT(!p->first);
	pthread_cond_destroy(&p->idle);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

/* No bound here: each submitter has a fixed number of jobs, see iopool.h. */
void iopool_submit(struct iopool *p, struct env *home, struct job *j)
{
	j->home = home;
	j->next = NULL;
	pthread_mutex_lock(&p->lock);
	ASSERT(!p->stop);
	*p->last = j;
	p->last = &j->next;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void iopool_settle(struct iopool *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->first || p->n_busy > 0)
		pthread_cond_wait(&p->idle, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void iopool_work_all(struct iopool *p, struct env *home, struct job *first)
{
	while (first) {
		struct job *j = first;

		ASSERT(!j->done);
		first = j->next;
		iopool_submit(p, home, j);
	}
	iopool_settle(p);
}

/* Leaves only when told to stop and the queue is empty: every submitted job runs. */
static void *thread_main(void *arg)
{
	struct iopool *p = arg;
	pthread_setname_np(pthread_self(), "io");
	pthread_mutex_lock(&p->lock);
	while (p->first || !p->stop) {
		struct job *j = p->first;
		if (!j) {
			pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		p->first = j->next;
		if (!p->first)
			p->last = &p->first;
		p->n_busy++;
		pthread_mutex_unlock(&p->lock);
		run(j);
		pthread_mutex_lock(&p->lock);
		if (--p->n_busy == 0 && !p->first)
			pthread_cond_broadcast(&p->idle);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void run(struct job *j)
{
	bool is_awaited = j->done != NULL;

	j->work(j);
	if (!is_awaited)
		return; /* iopool_work_all */
	j->mail.fn = job_done;
	env_post(j->home, &j->mail); /* from here on the job is the submitter's again */
}

static void job_done(struct mail *m)
{
	struct job *j = CONTAINER_OF(m, struct job, mail);
	j->done(j);
}
